"""Storing accepted records: their numbers, and every row of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import bindparam, insert, select, update

from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.types import LeafHash, RecordId
from ledger_service.records.idempotency import store_tokens
from ledger_service.records.outcomes import Accepted
from ledger_service.records.pointing import store_bonds
from ledger_service.records.tables import (
    SPAN_BITS,
    outbox,
    record_counter,
    record_salts,
    records,
    sealed_payloads,
)
from ledger_service.storage.metadata import from_instant
from ledger_service.storage.rows import Value, insert_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from ledger_service.records.pointing import Bond
    from ledger_service.records.preparation import Opening, Prepared

_RECORD: Final = (
    "id", "rid", "org_id", "log_id", "kind", "accepted", "reference", "reference_span", "key_id",
)  # fmt: skip
_OUTBOX: Final = ("record", "log_id", "leaf", "entry")
_COUNTER: Final = 1


class Made(NamedTuple):
    """A record to store, what opens it, and its tie to an earlier one."""

    record: Prepared
    opening: Opening | None = None
    bond: Bond | None = None


def store_records(conn: Connection, made: Mapping[int, Made]) -> dict[int, Accepted]:
    """Give the records their numbers, in this order, and store all their rows; by the same positions."""
    if not made:
        return {}
    first = _take_numbers(conn, len(made))
    numbered = list(enumerate(made.values(), first))
    insert_rows(conn, records, _RECORD, [_record_row(number, record) for number, (record, *_) in numbered])
    insert_rows(conn, record_salts, ("record", "salt"), [(n, r.salt) for n, (r, *_) in numbered if r.salt])
    insert_rows(
        conn,
        sealed_payloads,
        ("record", "generation", "sealed"),
        [(n, r.generation, r.sealed) for n, (r, *_) in numbered if r.sealed],
    )
    store_tokens(
        conn,
        [(r.org_id, r.token.key, r.token.line, n, r.token.fingerprint) for n, (r, *_) in numbered if r.token],
    )
    store_bonds(
        conn,
        ((n, r.log_id, from_instant(r.accepted), bond) for n, (r, _, bond) in numbered if bond is not None),
    )
    insert_rows(conn, outbox, _OUTBOX, [(n, r.log_id, r.leaf, r.entry) for n, (r, *_) in numbered])
    return {
        position: Accepted(
            number,
            RecordId(encode_base64url(record.rid)),
            record.log_id,
            from_instant(record.accepted),
            LeafHash(record.leaf),
            record.entry,
            opening,
        )
        for position, (number, (record, opening, _)) in zip(made, numbered, strict=True)
    }


def _record_row(number: int, made: Prepared) -> tuple[Value, ...]:
    span = None if made.reference is None else number >> SPAN_BITS
    return (
        number, made.rid, made.org_id, made.log_id, made.kind, made.accepted, made.reference, span, made.key_id,
    )  # fmt: skip


_TAKE: Final = (
    update(record_counter)
    .where(record_counter.c.id == bindparam("counter"))
    .values(last=record_counter.c.last + bindparam("count"))
    .returning(record_counter.c.last)
)


_LOCK: Final = select(record_counter.c.last).with_for_update()


def lock_counter(conn: Connection) -> None:
    """Let accepting and erasing take turns, on PostgreSQL as on SQLite, where writers do so anyway.

    Otherwise a record could be sealed under a key, and stored, while that key is being erased.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(_LOCK)


def _take_numbers(conn: Connection, count: int) -> int:
    """Return the first of `count` new numbers. The counter's row stays locked until the commit."""
    last: int | None = conn.execute(_TAKE, {"counter": _COUNTER, "count": count}).scalar()
    if last is None:
        last = count
        conn.execute(insert(record_counter).values(id=_COUNTER, last=last))
    return last - count + 1
