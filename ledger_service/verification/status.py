"""Status statements: what the operator says under the status key about a record, as of a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ledger_service.proofs.note import ALG_ED25519, make_vkey
from ledger_service.proofs.status import (
    ACTIVE,
    AsOf,
    SignedProof,
    StatusChange,
    StatusStatement,
    signed_proof,
    status_key_name,
    status_message,
)

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.types import Origin

RECORDED: Final = "recorded"


class StatusSigner:
    """Signs statements about the records of one log."""

    __slots__ = ("_key", "vkey")

    def __init__(self, origin: Origin, key: Ed25519PrivateKey) -> None:
        """Sign for the log of this origin."""
        self._key = key
        public_key = key.public_key().public_bytes_raw()
        self.vkey = make_vkey(status_key_name(origin), alg=ALG_ED25519, public_key=public_key)

    def sign(self, statement: StatusStatement) -> StatusStatement:
        """The statement with its proof."""
        signature = self._key.sign(status_message(statement))
        return replace(statement, proof=signed_proof(self.vkey, signature))

    def certify(self, message: bytes) -> SignedProof:
        """The signature over another message about records of this log, one that begins with its own label."""
        return signed_proof(self.vkey, self._key.sign(message))


def active_statement(
    pointer: Pointer, *, accepted: datetime, known: datetime, as_of: AsOf
) -> StatusStatement:
    """Say that the log holds nothing that changes this record: it has been active since it was accepted.

    `known` is the time of the first checkpoint that holds it. No kind of this version changes a status in the
    log; what the contract says about it, the verifier weighs against this.
    """
    # The operator's clock may have stood a moment behind the one that dated the entry.
    since = min(accepted, as_of.time)
    change = StatusChange(ACTIVE, since, min(known, as_of.time), RECORDED, pointer.index)
    return StatusStatement(pointer, (change,), as_of)
