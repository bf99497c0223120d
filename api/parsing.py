"""What a request says, read strictly: bodies, idempotency keys, query parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from ledger_service.errors import (
    BadRequestError,
    BodyTooLargeError,
    DuplicateParameterError,
    IdempotencyKeyMissingError,
    MalformedError,
    UnsupportedMediaTypeError,
)
from ledger_service.proofs.canonical import parse_time

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

KEY_SCHEMA: Final = {"type": "string", "pattern": "^[!-~]{1,255}$"}
"""An Idempotency-Key as the OpenAPI document describes it."""
TIME_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
}
"""A moment as the OpenAPI document describes it."""

_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
BROKEN_BODY: Final = "The body breaks off, or is framed wrongly."
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def read_body(limit: int, *, media: Collection[str] = ("application/json",)) -> bytes:
    """The body; raises UnsupportedMediaTypeError, BodyTooLargeError over `limit` bytes, BadRequestError."""
    check_media(media)
    request.max_content_length = limit
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError(limit=limit) from error
    except Exception as error:
        # Each server names a body that breaks off, or is framed wrongly, in its own way.
        raise BadRequestError(BROKEN_BODY) from error
    if request.content_length is not None and len(data) != request.content_length:
        # The end of a connection that was cut looks like the end of the body.
        raise BadRequestError(BROKEN_BODY)
    return data


def check_media(media: Collection[str]) -> None:
    """Raise UnsupportedMediaTypeError unless the body is of one of these types."""
    if request.mimetype not in media:
        raise UnsupportedMediaTypeError(expected=sorted(media))


def check_idempotency_key(key: str | None) -> str:
    """The key, if it is 1 to 255 visible ASCII characters; raises IdempotencyKeyMissingError."""
    if key is None or not _IDEMPOTENCY_KEY.fullmatch(key):
        raise IdempotencyKeyMissingError
    return key


def check_query(query: str, *, known: Collection[str] | None = None) -> None:
    """Raise DuplicateParameterError if a name stands twice, and BadRequestError for one that is not `known`.

    Whoever misspells `dry_run` or a filter is told so, and does not get something else done.
    """
    names = [unquote_plus(item.partition("=")[0]) for item in query.split("&") if item]
    if len(set(names)) != len(names):
        raise DuplicateParameterError
    if known is not None and not set(names) <= {*known}:
        raise BadRequestError(
            "The query string has a parameter that this call does not take.", known=sorted(known)
        )


def parse_count(text: str | None, *, name: str, default: int, most: int) -> int:
    """A decimal number from 1 to `most`, `default` when it is absent; raises BadRequestError."""
    if text is None:
        return default
    count = parse_number(text, name=name)
    if not 1 <= count <= most:
        raise BadRequestError(f"{name} must be a number from 1 to {most}.")
    return count


def parse_choice(text: str | None, *, name: str, known: Collection[str]) -> str | None:
    """One of the known words, None when it is absent; raises BadRequestError."""
    if text is not None and text not in known:
        raise BadRequestError(f"{name} must be one of {', '.join(known)}.")
    return text


def parse_moment(text: str | None, *, name: str) -> datetime | None:
    """A time such as 2026-11-22T01:02:03Z, None when it is absent; raises BadRequestError."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except MalformedError:
        raise BadRequestError(f"{name} must be a time such as 2026-11-22T01:02:03Z.") from None


def parse_number(text: str | None, *, name: str) -> int:
    """A decimal number without sign, leading zero or blank; raises BadRequestError naming the parameter."""
    if text is None or not _NUMBER.fullmatch(text):
        raise BadRequestError(f"{name} must be a decimal number without sign or leading zero.")
    return int(text)


def parse_switch(text: str | None, *, name: str) -> bool:
    """`true` or `false`, false when it is not there; raises BadRequestError naming the parameter."""
    if text not in {None, "true", "false"}:
        raise BadRequestError(f"{name} must be true or false.")
    return text == "true"
