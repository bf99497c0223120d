"""Who signs checkpoints, and how: one signer for each line of the note (design section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ledger_service.errors import SignatureError
from ledger_service.log.note_signer import NoteSigner
from ledger_service.proofs.checkpoint import (
    Checkpoint,
    check_signature,
    cosigned_message,
    format_checkpoint,
    format_cosignature_payload,
)
from ledger_service.proofs.note import (
    ALG_ED25519,
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    format_note,
    make_vkey,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    from ledger_service.proofs.types import Origin

_CHECKED_BY_KERNEL: Final = frozenset({ALG_ED25519, ALG_MLDSA44})


class CheckpointSigner(Protocol):
    """Makes one signature line. It may be called again for the same checkpoint after a crash."""

    @property
    def vkey(self) -> VerifierKey:
        """The key that checks the line."""
        ...

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:
        """Return the line for this checkpoint; `timestamp` is seconds since 1970, for lines that have one."""
        ...


class Ed25519Signer:
    """Signs the note text with Ed25519: the first line of every checkpoint, the same bytes each time."""

    __slots__ = ("_notes", "vkey")

    def __init__(self, origin: Origin, key: Ed25519PrivateKey) -> None:
        """Sign for the log of this origin."""
        self._notes = NoteSigner(origin, key)
        self.vkey = self._notes.vkey

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:  # noqa: ARG002  this line has no time
        """Sign the three lines of the checkpoint."""
        return self._notes.line(format_checkpoint(checkpoint))


class MlDsa44Signer:
    """Signs the cosigned message of C2SP tlog-cosignature with ML-DSA-44: different bytes each time."""

    __slots__ = ("_key", "vkey")

    def __init__(self, origin: Origin, key: MLDSA44PrivateKey) -> None:
        """Sign for the log of this origin, which is the cosigner's name as well."""
        self._key = key
        self.vkey = make_vkey(origin, alg=ALG_MLDSA44, public_key=key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:
        """Sign the checkpoint and the time."""
        message = cosigned_message(self.vkey.name, timestamp=timestamp, checkpoint=checkpoint)
        payload = format_cosignature_payload(timestamp, self._key.sign(message))
        return Signature(self.vkey.name, self.vkey.key_id, payload)


def sign_checkpoint(checkpoint: Checkpoint, *, timestamp: int, signers: Sequence[CheckpointSigner]) -> bytes:
    """Return the signed note, its lines in the order of `signers`.

    Lines of kinds that the kernel knows are checked before they leave, because a signature that a faulty
    processor made can give the key away. Raises SignatureError, and for signers of which the first is
    not Ed25519.
    """
    if not signers or signers[0].vkey.alg != ALG_ED25519:
        raise SignatureError("The first line of a checkpoint is an Ed25519 signature.")
    lines = tuple(signer.sign(checkpoint, timestamp) for signer in signers)
    note = Note(format_checkpoint(checkpoint), lines)
    for signer in signers:
        if signer.vkey.alg in _CHECKED_BY_KERNEL:
            check_signature(note, signer.vkey)
    return format_note(note)
