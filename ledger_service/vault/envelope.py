"""Sealing a payload so that only its subject's key opens it, at its own record and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger_service.errors import SealError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES: Final = 32
SALT_BYTES: Final = 32

SUITE: Final = b"audit-ledger/seal/v1/HKDF-SHA256/AES-256-GCM"
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class SealContext:
    """The record that a sealed payload belongs to. Every field is authenticated."""

    log: str
    id: str
    kind: str
    generation: int
    commitment: bytes | None


def seal(
    key: bytes,
    payload: bytes,
    *,
    salt: bytes,
    context: SealContext,
    entropy: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return `payload` encrypted: format (0x01) ‖ nonce (12) ‖ ciphertext ‖ tag (16).

    `key` is the subject's, `salt` 32 fresh random bytes kept in a row of their own. The record key is
    HKDF-SHA256(key, salt, info = suite, log and id), used for this one payload, so any nonce would be safe;
    it is random so that sealing twice under one salt, by whatever mistake, does not repeat one either.
    """
    nonce = entropy(_NONCE_BYTES)
    cipher = AESGCM(_record_key(key, salt, context))
    return _FORMAT + nonce + cipher.encrypt(nonce, payload, _associated_data(context))


def open_(key: bytes, sealed: bytes, *, salt: bytes, context: SealContext) -> bytes:
    """Return the payload again.

    Raises SealError when anything differs from what was sealed: the bytes, the key, the salt or the record.
    GCM does not commit to its key: the caller recomputes the field commitment from the payload and
    compares.
    """
    if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _FORMAT:
        raise SealError("A sealed payload is damaged.")
    cipher = AESGCM(_record_key(key, salt, context))
    try:
        return cipher.decrypt(
            sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], _associated_data(context)
        )
    except InvalidTag:
        raise SealError from None


def hkdf_sha256(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA256 (RFC 5869): extract with `salt`, expand once with `info`.

    Written out because the general one costs ten times as much, on the path of every record; a test
    compares both.
    """
    return hmac_digest(hmac_digest(salt, key, "sha256"), info + b"\x01", "sha256")


def _record_key(key: bytes, salt: bytes, context: SealContext) -> bytes:
    if len(key) != KEY_BYTES or len(salt) != SALT_BYTES:
        raise SealError("A subject key and a record salt have 32 bytes each.")
    return hkdf_sha256(key, salt=salt, info=SUITE + _frame(context.log) + _frame(context.id))


def _associated_data(context: SealContext) -> bytes:
    commitment = context.commitment or b""
    return b"".join(
        (
            SUITE,
            _frame(context.log),
            _frame(context.id),
            _frame(context.kind),
            context.generation.to_bytes(4, "big"),
            len(commitment).to_bytes(2, "big"),
            commitment,
        )
    )


def _frame(text: str) -> bytes:
    # The length goes first, so that no two lists of fields give the same bytes.
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
