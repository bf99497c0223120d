"""Destroying what is kept of a data subject's records, beside the entries, which hold nothing personal.

Rows are overwritten where they stand and never deleted. SQLite writes a value of the same length over the
old one, whereas deleting rows makes it move the neighbours between pages, and of what is moved a copy may
stay behind in a page's free space: of others, who may want to be erased tomorrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, literal, select, tuple_, update

from ledger_service.records.preparation import ERASED_FINGERPRINT
from ledger_service.records.tables import (
    idempotency_keys,
    record_counter,
    record_salts,
    records,
    sealed_payloads,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Column, ColumnElement, Connection

_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Traces:
    """Records under one key, by number, and the idempotency keys they were written under.

    Everything was looked at up to the record number `through`.
    """

    key_id: int
    through: int
    records: tuple[int, ...]
    tokens: tuple[tuple[bytes, int], ...]


def find_traces(conn: Connection, org_id: int, key_id: int, *, seen: Traces | None = None) -> Traces:
    """What there is of the subject who has this key.

    No index leads there, so the tables are read to their end: in a snapshot first, which hinders nobody.
    With what that one has `seen`, only records accepted since are looked for; numbers follow the order of
    commit.
    """
    before = seen if seen is not None and seen.key_id == key_id else Traces(key_id, 0, (), ())
    through = conn.execute(select(func.coalesce(func.max(record_counter.c.last), 0))).scalar_one()
    if through == before.through:
        return before
    found = select(records.c.id).where(records.c.key_id == key_id, records.c.id > before.through)
    numbers = tuple(conn.execute(found.order_by(records.c.id)).scalars())
    tokens: list[tuple[bytes, int]] = []
    for chunk in _chunks(numbers):
        used = select(idempotency_keys.c.key, idempotency_keys.c.line).where(
            idempotency_keys.c.org_id == org_id, idempotency_keys.c.record.in_(chunk)
        )
        tokens += [(bytes(key), line) for key, line in conn.execute(used)]
    return Traces(key_id, through, before.records + numbers, before.tokens + tuple(tokens))


def destroy_traces(conn: Connection, org_id: int, traces: Traces) -> None:
    """Overwrite payloads, salts and fingerprints, and forget references and whose key it was.

    The idempotency keys stay, so that a repeated write is known.
    """
    for chunk in _chunks(traces.records):
        for table, column in (
            (record_salts, record_salts.c.salt),
            (sealed_payloads, sealed_payloads.c.sealed),
        ):
            conn.execute(
                update(table).where(table.c.record.in_(chunk)).values({column.name: blank(conn, column)})
            )
        conn.execute(update(records).where(records.c.id.in_(chunk)).values(reference=None, key_id=None))
    for tokens in _chunks(traces.tokens):
        used = tuple_(idempotency_keys.c.key, idempotency_keys.c.line).in_(tokens)
        conn.execute(
            update(idempotency_keys)
            .where(idempotency_keys.c.org_id == org_id, used)
            .values(fingerprint=ERASED_FINGERPRINT)
        )


def blank(conn: Connection, column: Column[bytes]) -> ColumnElement[bytes]:
    """What overwrites a column: as many zero bytes on SQLite; PostgreSQL writes a new row in any case."""
    if conn.dialect.name == "sqlite":
        return func.zeroblob(func.length(column))
    return literal(b"")


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
