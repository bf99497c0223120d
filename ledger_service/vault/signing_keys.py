"""Private signing keys at rest: one file each, encrypted under the key-encryption key, mode 0600.

Every private key here is 32 bytes: the Ed25519 and ML-DSA-44 seeds and the secp256k1 scalar. A file says in
clear whose key it is and what for, and the encryption is bound to that, so that files cannot be exchanged
unnoticed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger_service.errors import KeyFileError, KeyInUseError, MalformedError
from ledger_service.proofs.canonical import decode_base64url, encode_base64url
from ledger_service.vault.secret_files import create_secret_file, read_secret_file, replace_secret_file
from ledger_service.vault.wrapping import KEY_BYTES, KeyWrapper, generation_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ED25519: Final = "ed25519"
ML_DSA_44: Final = "ml-dsa-44"
SECP256K1: Final = "secp256k1"

_MAGIC: Final = "audit-ledger/signing-key/v1"
# Order of the group of secp256k1 (SEC 2, section 2.4.1): a private key is a number from 1 to one less than
# this.
_SECP256K1_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


@dataclass(frozen=True, slots=True)
class KeyLabel:
    """Whose key, what for, and of which algorithm."""

    owner: str
    purpose: str
    algorithm: str

    @property
    def file_name(self) -> str:
        """The name of its file: the purpose and a short digest of the owner, often a path with slashes."""
        return f"{self.purpose}-{hashlib.sha256(self.owner.encode()).hexdigest()[:16]}.key"


_VERIFICATION: Final = KeyLabel("installation", "verification", ED25519)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in memory."""

    label: KeyLabel
    secret: bytes = field(repr=False)

    def ed25519(self) -> Ed25519PrivateKey:
        """Return the Ed25519 key whose seed this is."""
        self._check(ED25519)
        return Ed25519PrivateKey.from_private_bytes(self.secret)

    def ml_dsa_44(self) -> MLDSA44PrivateKey:
        """Return the ML-DSA-44 key whose seed this is (FIPS 204, section 5.1)."""
        self._check(ML_DSA_44)
        return MLDSA44PrivateKey.from_seed_bytes(self.secret)

    def secp256k1(self) -> bytes:
        """Return the secp256k1 scalar, 32 bytes, big-endian."""
        self._check(SECP256K1)
        return self.secret

    def _check(self, algorithm: str) -> None:
        if self.label.algorithm != algorithm:
            raise KeyFileError(f"The {self.label.purpose} key is {self.label.algorithm}, not {algorithm}.")


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The keys of one log, each used for one thing only."""

    head_ed25519: SigningKey
    head_ml_dsa_44: SigningKey
    head_secp256k1: SigningKey
    status: SigningKey
    acceptance: SigningKey


class SigningKeyFiles:
    """The directory of signing keys."""

    __slots__ = ("_directory", "_entropy", "_wrapper")

    def __init__(
        self, directory: Path, wrapper: KeyWrapper, *, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        """Keep where the files are and what encrypts them; nothing is read yet."""
        self._directory = directory
        self._wrapper = wrapper
        self._entropy = entropy

    def create(self, label: KeyLabel) -> SigningKey:
        """Make a new key, durable before it returns; raises FileExistsError when there is one."""
        key = SigningKey(label, self._new_secret(label.algorithm))
        create_secret_file(self._directory / label.file_name, self._format(key))
        return key

    def load(self, label: KeyLabel) -> SigningKey:
        """Return the key; KeyFileError (missing, unsafe, another's) or KeyUnavailableError (another KEK)."""
        return self._parse(read_secret_file(self._directory / label.file_name), label)

    def load_or_create(self, label: KeyLabel) -> SigningKey:
        """Return the key, made now if there is none. For first use only: a lost key must not be remade."""
        # Looked for first, so that a key that exists is found where nothing can be written.
        if not (self._directory / label.file_name).exists():
            with suppress(FileExistsError):
                return self.create(label)
        return self.load(label)

    def open_log_keys(self, origin: str, era: int = 0) -> LogKeys:
        """Return the keys of an era that is about to begin, made as far as an interrupted call did not.

        Era 0 is that of a log being opened.
        """
        return LogKeys(*(self.load_or_create(label) for label in _log_labels(origin, era)))

    def log_keys(self, origin: str, era: int = 0) -> LogKeys:
        """Return the keys of an era of a log that exists; raises as `load` does."""
        return LogKeys(*(self.load(label) for label in _log_labels(origin, era)))

    def publisher_key(self, chain: str) -> SigningKey:
        """Return the key that pays for and sends anchors on one chain, made at first use."""
        return self.load_or_create(KeyLabel(chain, "publisher", SECP256K1))

    def known_publisher_key(self, name: str) -> SigningKey:
        """Return a publisher's key that was made before; raises as `load` does."""
        return self.load(KeyLabel(name, "publisher", SECP256K1))

    def audit_key(self) -> SigningKey:
        """Return the key that signs the reports of audits, made at first use."""
        return self.load_or_create(KeyLabel("installation", "audit", ED25519))

    def make_verification_key(self) -> None:
        """Make the key that signs the reports of verifications, unless there is one."""
        self.load_or_create(_VERIFICATION)

    def verification_key(self) -> SigningKey:
        """Return that key; raises as `load` does. Strangers ask for it, so that asking makes none."""
        return self.load(_VERIFICATION)

    def rewrap(self) -> int:
        """Seal every key file under the newest key-encryption key; returns how many were not.

        Files are replaced one by one, each whole. Raises KeyFileError and KeyUnavailableError.
        """
        count = 0
        for path in self._files():
            content = read_secret_file(path)
            label, sealed = _split(content, path.name)
            if generation_of(sealed) < self._wrapper.generation:
                replace_secret_file(path, self._format(self._parse(content, label)))
                count += 1
        return count

    def check_retired(self) -> None:
        """Raise KeyInUseError unless every key file is sealed under the newest key-encryption key."""
        for path in self._files():
            _, sealed = _split(read_secret_file(path), path.name)
            if generation_of(sealed) != self._wrapper.generation:
                raise KeyInUseError(file=path.name, generation=generation_of(sealed))

    def _files(self) -> list[Path]:
        return sorted(each for each in self._directory.glob("*.key") if not each.name.startswith("."))

    def _new_secret(self, algorithm: str) -> bytes:
        while True:
            secret = self._entropy(KEY_BYTES)
            if algorithm != SECP256K1 or 0 < int.from_bytes(secret, "big") < _SECP256K1_ORDER:
                return secret

    def _format(self, key: SigningKey) -> bytes:
        label = key.label
        wrapped = encode_base64url(self._wrapper.wrap(key.secret, purpose=_binding(label)))
        return f"{_MAGIC}\n{label.owner}\n{label.purpose}\n{label.algorithm}\n{wrapped}\n".encode()

    def _parse(self, content: bytes, label: KeyLabel) -> SigningKey:
        found, sealed = _split(content, label.file_name)
        if found != label:
            raise KeyFileError(
                f"{label.file_name} holds another key than its name says.", file=label.file_name
            )
        return SigningKey(label, self._wrapper.unwrap(sealed, purpose=_binding(label)))


def _split(content: bytes, name: str) -> tuple[KeyLabel, bytes]:
    """What a key file says of its key, and the wrapped key; raises KeyFileError."""
    try:
        magic, owner, purpose, algorithm, wrapped, end = content.decode().split("\n")
        sealed = decode_base64url(wrapped)
    except (ValueError, MalformedError) as error:
        raise KeyFileError(f"{name} is not a key file.", file=name) from error
    if (magic, end) != (_MAGIC, ""):
        raise KeyFileError(f"{name} is not a key file.", file=name)
    return KeyLabel(owner, purpose, algorithm), sealed


def _log_labels(origin: str, era: int) -> tuple[KeyLabel, ...]:
    # No origin has a space, so the keys of an era are nobody else's.
    owner = origin if era == 0 else f"{origin} {era}"
    return (
        KeyLabel(owner, "head-ed25519", ED25519),
        KeyLabel(owner, "head-ml-dsa-44", ML_DSA_44),
        KeyLabel(owner, "head-secp256k1", SECP256K1),
        KeyLabel(owner, "status", ED25519),
        KeyLabel(owner, "acceptance", ED25519),
    )


def _binding(label: KeyLabel) -> bytes:
    return f"signing-key\x00{label.owner}\x00{label.purpose}\x00{label.algorithm}".encode()
