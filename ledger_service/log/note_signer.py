"""Signing texts with Ed25519 as C2SP signed notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.proofs.note import ALG_ED25519, Note, Signature, format_note, make_vkey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class NoteSigner:
    """Signs under one key name: the same bytes for the same text."""

    __slots__ = ("_key", "vkey")

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Sign with `key`, which others know as `name`."""
        self._key = key
        self.vkey = make_vkey(name, alg=ALG_ED25519, public_key=key.public_key().public_bytes_raw())

    def line(self, text: str) -> Signature:
        """The signature line over a text that ends in a newline."""
        return Signature(self.vkey.name, self.vkey.key_id, self._key.sign(text.encode()))

    def sign(self, text: str) -> bytes:
        """The note of that text with this one line; raises MalformedError for a text that is too large."""
        return format_note(Note(text, (self.line(text),)))
