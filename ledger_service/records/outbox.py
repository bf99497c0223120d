"""The outbox: accepted records in the order of their numbers, until a log gives them an index.

The sequencer moves rows by `waiting_rows` inside one SQL statement, so that entries do not travel
through Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from ledger_service.records.tables import outbox

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


def waiting_rows(log_id: int, *, first_index: int, limit: int) -> Select[Any]:
    """Select (record, log_id, index, leaf, entry) of the first `limit` records waiting for a log, in order.

    The first of them gets `first_index`, the others those that follow.
    """
    index = func.row_number().over(order_by=outbox.c.record) + (first_index - 1)
    return (
        select(outbox.c.record, outbox.c.log_id, index, outbox.c.leaf, outbox.c.entry)
        .where(outbox.c.log_id == log_id)
        .order_by(outbox.c.record)
        .limit(limit)
    )


def clear_through(conn: Connection, log_id: int, *, last_record: int) -> int:
    """Delete what waits for a log up to a record's number, and return how many rows that were.

    Numbers are taken in the order of commit, so nothing that was not seen can lie below one that was.
    """
    done = conn.execute(delete(outbox).where(outbox.c.log_id == log_id, outbox.c.record <= last_record))
    return done.rowcount


def waiting_logs(conn: Connection) -> list[int]:
    """The logs for which something waits."""
    return sorted(conn.execute(select(outbox.c.log_id).distinct()).scalars())
