"""Strict shapes of decoded JSON: each function returns the value as the asked type or raises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import MAX_INTEGER, JsonValue, decode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEX = re.compile(r"0x((?:[0-9a-f]{2})*)")


def object_of(value: JsonValue, names: Sequence[str], *, what: str) -> Mapping[str, JsonValue]:
    """Return `value` as an object with exactly the members `names`."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise MalformedError(f"{what} is not an object with exactly the members {', '.join(sorted(names))}.")
    return value


def list_of(value: JsonValue, *, what: str, at_most: int = 10_000) -> list[JsonValue]:
    """Return `value` as a list of at most `at_most` items."""
    if not isinstance(value, list) or len(value) > at_most:
        raise MalformedError(f"{what} is not a list of at most {at_most} items.")
    return value


def text_of(value: JsonValue, *, what: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return `value` as a string that `pattern` matches in full."""
    if not isinstance(value, str) or (pattern is not None and pattern.fullmatch(value) is None):
        raise MalformedError(f"{what} is not text in the form it must have.")
    return value


def integer_of(value: JsonValue, *, what: str, at_least: int = 0, at_most: int = MAX_INTEGER) -> int:
    """Return `value` as an integer (a boolean is none) within the two bounds."""
    if type(value) is not int or not at_least <= value <= at_most:
        raise MalformedError(f"{what} is not an integer from {at_least} to {at_most}.")
    return value


def bytes_of(value: JsonValue, *, what: str, size: int | None = None) -> bytes:
    """Return the bytes of a base64url string, `size` of them if given."""
    return decode_base64url(text_of(value, what=what), size=size)


def hex_of(value: JsonValue, *, what: str, size: int | None = None) -> bytes:
    """Return the bytes of a lower-case 0x string, as chain tools print them, `size` of them if given."""
    data = bytes.fromhex(text_of(value, what=what, pattern=_HEX)[2:])
    if size is not None and len(data) != size:
        raise MalformedError(f"{what} is not {size} bytes long.")
    return data
