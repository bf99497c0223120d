"""The key-encryption key: it wraps other keys and nothing else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger_service.errors import KeyFileError, KeyUnavailableError
from ledger_service.proofs.canonical import decode_base64url, encode_base64url
from ledger_service.vault.secret_files import create_secret_file, read_secret_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES: Final = 32

_FORMAT: Final = b"\x01"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = 1 + 4 + _ID_BYTES
_WRAPPED_BYTES: Final = _HEADER_BYTES + _NONCE_BYTES + KEY_BYTES + 16
_AAD: Final = b"audit-ledger/wrapped-key/v1\x00"
_FILE_LINE: Final = re.compile(rb"audit-ledger/kek/v1 ([1-9][0-9]{0,8}) ([A-Za-z0-9_-]{43})\n")


class KeyWrapper(Protocol):
    """Whatever wraps keys: the key-encryption key here, or a KMS. Neither call changes any state."""

    @property
    def generation(self) -> int:
        """Return the number of the key that wraps now; it grows with each rotation."""
        ...

    def wrap(self, key: bytes, *, purpose: bytes) -> bytes:
        """Return `key` (32 bytes) encrypted, and bound to `purpose`."""
        ...

    def unwrap(self, wrapped: bytes, *, purpose: bytes) -> bytes:
        """Return the key; KeyUnavailableError for another wrapping key, another purpose or a change."""
        ...


@dataclass(frozen=True, slots=True)
class KeyEncryptionKey:
    """32 bytes that wrap the keys of subjects, organizations and signers with AES-256-GCM.

    A wrapped key is format (0x01) ‖ generation (u32) ‖ key id (8) ‖ nonce (12) ‖ ciphertext (32) ‖ tag
    (16), with everything before the nonce and the purpose as associated data. The id is derived from the
    key, so that another key is told from a damaged one before anything is decrypted. Nonces are random: at
    10⁹ wrapped keys the chance that two were ever equal is below 10⁻¹⁰.
    """

    generation: int
    id: bytes
    _aead: AESGCM = field(repr=False, compare=False)
    _entropy: Callable[[int], bytes] = field(repr=False, compare=False)

    @classmethod
    def from_bytes(
        cls, key: bytes, *, generation: int = 1, entropy: Callable[[int], bytes] = os.urandom
    ) -> KeyEncryptionKey:
        """Return the wrapping key made of these 32 bytes."""
        if len(key) != KEY_BYTES:
            raise KeyUnavailableError("A key-encryption key has 32 bytes.")
        # The bytes themselves do nothing: one derived key encrypts, another value names it.
        aead = AESGCM(hmac_digest(key, b"audit-ledger/kek/wrap/v1", "sha256"))
        return cls(
            generation, hmac_digest(key, b"audit-ledger/kek/id/v1", "sha256")[:_ID_BYTES], aead, entropy
        )

    def wrap(self, key: bytes, *, purpose: bytes) -> bytes:
        """Return `key` (32 bytes) encrypted, and bound to `purpose`."""
        if len(key) != KEY_BYTES:
            raise KeyUnavailableError("Only keys of 32 bytes are wrapped.")
        header = _FORMAT + self.generation.to_bytes(4, "big") + self.id
        nonce = self._entropy(_NONCE_BYTES)
        return header + nonce + self._aead.encrypt(nonce, key, _AAD + header + purpose)

    def unwrap(self, wrapped: bytes, *, purpose: bytes) -> bytes:
        """Return the key; KeyUnavailableError for another wrapping key, another purpose or a change."""
        if len(wrapped) != _WRAPPED_BYTES or wrapped[:1] != _FORMAT:
            raise KeyUnavailableError("A wrapped key is damaged.")
        if wrapped[5:_HEADER_BYTES] != self.id:
            raise KeyUnavailableError(
                "A key is wrapped by another key-encryption key.",
                wanted=wrapped[5:_HEADER_BYTES].hex(),
                present=self.id.hex(),
            )
        start = _HEADER_BYTES + _NONCE_BYTES
        try:
            return self._aead.decrypt(
                wrapped[_HEADER_BYTES:start], wrapped[start:], _AAD + wrapped[:_HEADER_BYTES] + purpose
            )
        except InvalidTag:
            raise KeyUnavailableError("A wrapped key is damaged or belongs elsewhere.") from None


def generation_of(wrapped: bytes) -> int:
    """Return the generation of the key that wraps a key, as its header says; 0 for what is no wrapped key."""
    return int.from_bytes(wrapped[1:5], "big") if len(wrapped) == _WRAPPED_BYTES else 0


def key_id_of(wrapped: bytes) -> bytes:
    """Return the id of the key that wraps a key, as its header says."""
    return wrapped[5:_HEADER_BYTES]


def create_kek(
    path: Path, *, generation: int = 1, entropy: Callable[[int], bytes] = os.urandom
) -> KeyEncryptionKey:
    """Make the file of a new key-encryption key and return the key; FileExistsError when there is one."""
    key = entropy(KEY_BYTES)
    line = b"audit-ledger/kek/v1 %d %b\n" % (generation, encode_base64url(key).encode())
    create_secret_file(path, line)
    return KeyEncryptionKey.from_bytes(key, generation=generation, entropy=entropy)


def load_kek(path: Path, *, entropy: Callable[[int], bytes] = os.urandom) -> KeyEncryptionKey:
    """Return the key-encryption key of a file; raises KeyFileError when it is missing, unsafe or damaged."""
    found = _FILE_LINE.fullmatch(read_secret_file(path))
    if found is None:
        raise KeyFileError(f"{path.name} does not hold a key-encryption key.", file=path.name)
    key = decode_base64url(found[2].decode(), size=KEY_BYTES)
    return KeyEncryptionKey.from_bytes(key, generation=int(found[1]), entropy=entropy)
