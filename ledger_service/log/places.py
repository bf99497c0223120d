"""Where records stand in their logs, also those that wait: their order fixes the index that they will get."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger_service.errors import CorruptLogError
from ledger_service.log.directory import log_of_number
from ledger_service.log.heads import read_head
from ledger_service.log.tables import log_entries
from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.types import LeafHash, LeafIndex
from ledger_service.records.tables import outbox, records
from ledger_service.storage.rows import select_matching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ledger_service.log.directory import LogRow

_CHUNK = 10_000


def find_places(conn: Connection, numbers: Sequence[int]) -> dict[int, tuple[LogRow, Pointer]]:
    """Return log and place of each record, by its number.

    Within a transaction that accepts nothing else and has locked the heads, or in a snapshot, nothing moves
    meanwhile. Raises CorruptLogError for a record that stands nowhere.
    """
    placed: dict[int, tuple[int, int, bytes]] = {}
    waiting: defaultdict[int, set[int]] = defaultdict(set)
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        found = select_matching(
            conn, log_entries, ("record", "log_id", "idx", "leaf"), equal={}, among=("record", chunk)
        )
        placed |= {record: (log_id, index, bytes(leaf)) for record, log_id, index, leaf in found}
        rest = [number for number in chunk if number not in placed]
        for record, log_id in select_matching(
            conn, outbox, ("record", "log_id"), equal={}, among=("record", rest)
        ):
            waiting[log_id].add(record)
    for log_id, wanted in waiting.items():
        placed |= _future_places(conn, log_id, wanted)
    if missing := [number for number in numbers if number not in placed]:
        raise CorruptLogError(problem="a record stands in no log and in no outbox", record=missing[0])
    logs = {log_id: log_of_number(conn, log_id) for log_id in {log_id for log_id, _, _ in placed.values()}}
    return {
        record: (logs[log_id], Pointer(logs[log_id].origin, LeafIndex(index), LeafHash(leaf)))
        for record, (log_id, index, leaf) in placed.items()
    }


def lock_logs(conn: Connection, numbers: Sequence[int]) -> None:
    """Keep the sequencer out of the logs of these records until the transaction ends."""
    logs: set[int] = set()
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        logs |= {row[0] for row in select_matching(conn, records, ("log_id",), equal={}, among=("id", chunk))}
    for log_id in sorted(logs):
        read_head(conn, log_id, lock=True)


def _future_places(conn: Connection, log_id: int, wanted: set[int]) -> dict[int, tuple[int, int, bytes]]:
    # The sequencer takes what waits in the order of the numbers and begins where head or intent ends.
    head = read_head(conn, log_id)
    first = head.size if head.intent is None else head.intent.size
    queue = select(outbox.c.record, outbox.c.leaf).where(outbox.c.log_id == log_id).order_by(outbox.c.record)
    return {
        record: (log_id, first + position, bytes(leaf))
        for position, (record, leaf) in enumerate(conn.execute(queue))
        if record in wanted
    }
