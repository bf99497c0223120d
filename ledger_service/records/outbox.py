"""The outbox: accepted records in the order of their numbers, until a log gives them an index.

The sequencer moves rows by `WAITING_ROWS` inside one SQL statement, so that entries do not travel
through Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, bindparam, delete, func, select

from ledger_service.records.tables import outbox

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


WAITING_ROWS: Final[Select[Any]] = (
    select(
        outbox.c.record,
        outbox.c.log_id,
        func.row_number().over(order_by=outbox.c.record) + bindparam("before", type_=BigInteger),
        outbox.c.leaf,
        outbox.c.entry,
    )
    .where(outbox.c.log_id == bindparam("log"))
    .order_by(outbox.c.record)
    .limit(bindparam("limit", type_=Integer))
)
"""(record, log, index, leaf, entry) of the first `limit` records waiting for `log`, in order.

The first of them gets the index that follows `before`, the others those that follow it.
"""


def clear_through(conn: Connection, log_id: int, *, last_record: int) -> int:
    """Delete what waits for a log up to a record's number, and return how many rows that were.

    Numbers are taken in the order of commit, so nothing that was not seen can lie below one that was.
    """
    return conn.execute(_CLEAR, {"log": log_id, "last": last_record}).rowcount


_CLEAR: Final = delete(outbox).where(
    outbox.c.log_id == bindparam("log"), outbox.c.record <= bindparam("last")
)


def waiting_logs(conn: Connection) -> list[int]:
    """The logs for which something waits."""
    return sorted(conn.execute(select(outbox.c.log_id).distinct()).scalars())
