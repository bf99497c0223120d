"""Canonical JSON (RFC 8785, restricted), base64url and time: the only text forms that are hashed or signed.

The restriction (design section 5): object keys `[a-z0-9_]+`, integers within +-(2^53 - 1), no floats, no lone
surrogates, at most 32 containers deep. Every decoder accepts only what encodes back to the same bytes.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from ledger_service.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JsonValue: TypeAlias = "bool | int | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What canonical JSON can hold. On encoding, sequences must be lists or tuples and mappings dicts."""

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

_KEYS = re.compile(r"[a-z0-9_]+(?:,[a-z0-9_]+)*")
# A string (even an unterminated one, so that the scan stays linear), or one bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_WORDS = {None: "null", True: "true", False: "false"}
_ZERO = timedelta(0)


def encode(value: JsonValue, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Return the one canonical encoding of `value`.

    Raises MalformedError for anything outside the restriction: a float, a key in capitals, a lone surrogate.
    """
    try:
        return _text_of(value, max_depth).encode()
    except UnicodeEncodeError:
        raise MalformedError("A string holds a lone surrogate.") from None


def decode(data: bytes, *, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Return the value whose canonical encoding is exactly `data`; raises MalformedError."""
    _refuse_deep(data, max_depth)
    try:
        value: JsonValue = json.loads(
            data.decode(), parse_float=_refuse_number, parse_constant=_refuse_number
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise MalformedError("The input is not canonical JSON.") from error
    if encode(value, max_depth=max_depth) != data:
        raise MalformedError("The JSON is not in canonical form, or a key is doubled.")
    return value


def _text_of(value: JsonValue, depth: int) -> str:
    # Exact types: a subclass (an enum, bool as int) could encode to something that its author did not mean.
    kind = type(value)
    if kind is str:
        return encode_basestring(value)  # type: ignore[arg-type]  # the line above has narrowed it
    if kind is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
            return str(value)
        raise MalformedError("An integer is outside +-(2^53 - 1).")
    if value is None or kind is bool:
        return _WORDS[value]  # type: ignore[index]
    if depth < 1:
        raise MalformedError("The JSON is nested too deeply.")
    if kind is dict:
        return _object_text(value, depth - 1)  # type: ignore[arg-type]
    if kind is list or kind is tuple:
        return "[" + ",".join([_text_of(item, depth - 1) for item in value]) + "]"  # type: ignore[union-attr]
    raise MalformedError(f"A {kind.__name__} has no canonical form.")


def _object_text(value: Mapping[str, JsonValue], depth: int) -> str:
    try:
        keys = sorted(value)
        joined = ",".join(keys)
    except TypeError:
        raise MalformedError("An object key is not a string.") from None
    # One match for all keys. A comma within a key would show as one comma more than there are gaps.
    if keys and (_KEYS.fullmatch(joined) is None or joined.count(",") != len(keys) - 1):
        raise MalformedError("An object key is not made of a-z, 0-9 and _.")
    return "{" + ",".join(['"' + key + '":' + _text_of(value[key], depth) for key in keys]) + "}"


def _refuse_deep(data: bytes, max_depth: int) -> None:
    # Counted before parsing, so that hostile nesting never reaches the parser's recursion.
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    depth = 0
    for token in _TOKEN.finditer(data):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise MalformedError("The JSON is nested too deeply.")
        elif first in b"]}":
            depth -= 1


def _refuse_number(text: str) -> NoReturn:
    raise MalformedError("Only integers are numbers here.", number=text[:40])


def encode_base64url(data: bytes) -> str:
    """Return `data` in base64url without padding."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode()


def decode_base64url(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes whose base64url is exactly `text`, `size` of them if given; raises MalformedError."""
    try:
        data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, Base64Error):
        raise MalformedError("The text is not base64url without padding.") from None
    if encode_base64url(data) != text:
        raise MalformedError("The text is not base64url without padding.")
    if size is not None and len(data) != size:
        raise MalformedError(f"Expected {size} bytes in base64url, got {len(data)}.")
    return data


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def format_time(value: datetime) -> str:
    """Return an aware UTC time of whole seconds as `2026-11-22T01:02:03Z`; raises MalformedError."""
    if value.utcoffset() != _ZERO or value.microsecond:
        raise MalformedError("A time must be in UTC and of whole seconds.")
    return value.isoformat()[:19] + "Z"


def parse_time(text: str) -> datetime:
    """Return the time that `format_time` writes as `text`; raises MalformedError."""
    try:
        value = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedError("The text is not a time in UTC with Z and whole seconds.") from None
    if value.microsecond or format_time(value) != text:
        raise MalformedError("The text is not a time in UTC with Z and whole seconds.")
    return value
