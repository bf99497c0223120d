"""Status statements: what the operator says under the status key about a record, as of a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from ledger_service.errors import CorruptLogError
from ledger_service.log.tables import log_entries
from ledger_service.proofs.entry import parse_entry
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
from ledger_service.proofs.types import LeafIndex
from ledger_service.records.pointing import change_of
from ledger_service.records.tables import status_changes
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import Connection, Row

    from ledger_service.log.reader import LogView
    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.types import Origin
    from ledger_service.records.kinds import KindRegistry

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


def state_statement(
    pointer: Pointer,
    changes: Sequence[StatusChange],
    *,
    accepted: datetime,
    known: datetime,
    as_of: AsOf,
) -> StatusStatement:
    """Say what a record's status was and is: active since it was accepted, then each of the `changes`.

    `known` is the time of the first checkpoint that holds it, `changes` are those that the log holds up to
    `as_of`, oldest first. What the contract says about it, the verifier weighs against this.
    """
    # The operator's clock may have stood a moment behind the one that dated the entry.
    first = StatusChange(ACTIVE, min(accepted, as_of.time), min(known, as_of.time), RECORDED, pointer.index)
    later = [
        replace(each, since=min(each.since, as_of.time), known=min(each.known, as_of.time))
        for each in changes
    ]
    return StatusStatement(pointer, (first, *later), as_of)


def published_changes(
    conn: Connection, view: LogView, record: int, *, kinds: KindRegistry
) -> tuple[StatusChange, ...]:
    """The changes of a record's status that the published log holds, oldest first.

    Rows only say which entries to read: each change is read again from its entry, and raises CorruptLogError
    if the row says something else. `known` is the time of the first checkpoint over the entry.
    """
    rows = conn.execute(_CHANGES, {"record": record, "log": view.log.id, "size": view.size})
    return tuple(_read_change(row, view, kinds) for row in rows)


_CHANGES: Final = (
    select(status_changes, log_entries.c.idx, log_entries.c.entry)
    .join(log_entries, log_entries.c.record == status_changes.c.explanation)
    .where(
        status_changes.c.record == bindparam("record"),
        log_entries.c.log_id == bindparam("log"),
        log_entries.c.idx < bindparam("size"),
    )
    .order_by(log_entries.c.idx)
)


def _read_change(row: Row[Any], view: LogView, kinds: KindRegistry) -> StatusChange:
    entry = parse_entry(row.entry)
    change = change_of(entry.claim, kinds.get(entry.claim.kind), accepted=entry.accepted)
    if change is None:
        raise CorruptLogError(
            log_id=view.log.id, index=row.idx, problem="a status change is not in its entry"
        )
    pointer, effect, since = change
    said = (view.index_of(row.record), effect.state, effect.reason, to_instant(since))
    if said != (pointer.index, row.state, row.reason, row.since):
        raise CorruptLogError(log_id=view.log.id, index=row.idx, problem="a status change is not its entry's")
    known = datetime.fromtimestamp(view.first_checkpoint_covering(row.idx).timestamp, UTC)
    return StatusChange(effect.state, since, known, effect.reason, LeafIndex(row.idx))
