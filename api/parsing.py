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
    UnsupportedMediaTypeError,
)

if TYPE_CHECKING:
    from collections.abc import Collection

_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def read_body(limit: int, *, media: Collection[str] = ("application/json",)) -> bytes:
    """The body; raises UnsupportedMediaTypeError or, over `limit` bytes, BodyTooLargeError."""
    check_media(media)
    request.max_content_length = limit
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError(limit=limit) from error


def check_media(media: Collection[str]) -> None:
    """Raise UnsupportedMediaTypeError unless the body is of one of these types."""
    if request.mimetype not in media:
        raise UnsupportedMediaTypeError(expected=sorted(media))


def check_idempotency_key(key: str | None) -> str:
    """The key, if it is 1 to 255 visible ASCII characters; raises IdempotencyKeyMissingError."""
    if key is None or not _IDEMPOTENCY_KEY.fullmatch(key):
        raise IdempotencyKeyMissingError
    return key


def check_query(query: str) -> None:
    """Raise DuplicateParameterError if a name stands twice in the query string."""
    names = [unquote_plus(item.partition("=")[0]) for item in query.split("&") if item]
    if len(set(names)) != len(names):
        raise DuplicateParameterError


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
