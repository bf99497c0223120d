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
from ledger_service.records.tables import outbox, record_pointers, status_changes
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

    Every entry that points at the record is read, and must say what is stored as a change: a row that is gone
    hides nothing. Raises CorruptLogError. `known` is the time of the first checkpoint over the entry.
    """
    changes: list[StatusChange] = []
    for row in conn.execute(_POINTING, {"record": record}):
        if row.waits is not None:
            continue
        if row.entry is None or row.log_id != view.log.id or row.idx >= view.end:
            raise CorruptLogError(log_id=view.log.id, problem="an entry that points at a record is gone")
        if row.idx < view.size:
            changes += _read_change(row, view, kinds, state=changes[-1].state if changes else ACTIVE)
    return tuple(changes)


# Numbers of records ascend in a log, so this is the log's order as well.
_POINTING: Final = (
    select(record_pointers.c.target, outbox.c.record.label("waits"))
    .add_columns(log_entries.c.log_id, log_entries.c.idx, log_entries.c.entry)
    .add_columns(status_changes.c.record, status_changes.c.state, status_changes.c.reason)
    .add_columns(status_changes.c.since)
    .outerjoin(outbox, outbox.c.record == record_pointers.c.record)
    .outerjoin(log_entries, log_entries.c.record == record_pointers.c.record)
    .outerjoin(status_changes, status_changes.c.explanation == record_pointers.c.record)
    .where(record_pointers.c.target == bindparam("record"))
    .order_by(record_pointers.c.record)
)


def _read_change(
    row: Row[Any], view: LogView, kinds: KindRegistry, *, state: str
) -> tuple[StatusChange, ...]:
    """The change that an entry makes of a record in this state: one, or none."""
    entry = parse_entry(row.entry)
    change = change_of(entry.claim, kinds.get(entry.claim.kind), accepted=entry.accepted)
    stored = (row.record, row.state, row.reason, row.since)
    if change is None:
        said: tuple[object, ...] = (None, None, None, None)
    else:
        pointer, effect, since = change
        if pointer.index != view.index_of(row.target):
            raise CorruptLogError(log_id=view.log.id, index=row.idx, problem="a pointer is not its entry's")
        said = (row.target, effect.state, effect.reason, to_instant(since))
        # What a correction replaces is superseded already when its replacement says so too.
        if (
            row.state is None
            and (state, effect.state) == ("superseded", "superseded")
            and entry.claim.previous
        ):
            return ()
    if said != stored:
        raise CorruptLogError(log_id=view.log.id, index=row.idx, problem="a status change is not its entry's")
    if change is None:
        return ()
    known = datetime.fromtimestamp(view.first_checkpoint_covering(row.idx).timestamp, UTC)
    return (StatusChange(effect.state, since, known, effect.reason, LeafIndex(row.idx)),)
