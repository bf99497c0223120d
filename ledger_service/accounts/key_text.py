"""The text of an API key: `alk_` + public prefix + `_` + secret. By its start, secret scanners find it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode_base64url, encode_base64url

PREFIX_BYTES: Final = 8
SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"alk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its holder keeps it. `secret` is 32 random bytes and never appears in a representation."""

    prefix: str
    secret: bytes = field(repr=False)


def format_key(key: KeyText) -> str:
    """The text that is shown once, when the key is made."""
    return f"alk_{key.prefix}_{encode_base64url(key.secret)}"


def parse_key(text: str) -> KeyText:
    """The parts of a key's text; raises MalformedError on anything that format_key does not write."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise MalformedError("This is not the text of an API key.")
    return KeyText(prefix=found[1], secret=decode_base64url(found[2], size=SECRET_BYTES))
