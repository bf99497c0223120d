"""How far records have come, many at a time: within a log a stage is a range of record numbers.

Records enter a log in the order of their numbers, so four boundaries for each log tell the stage of any record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from ledger_service.log.heads import read_head
from ledger_service.log.tables import log_entries
from ledger_service.records.tables import outbox
from ledger_service.verification.anchors import ANCHORED, FINAL, PUBLISHED, anchored_through

if TYPE_CHECKING:
    from sqlalchemy import Connection

ACCEPTED: Final = "accepted"
SEQUENCED: Final = "sequenced"
STAGES: Final = (ACCEPTED, SEQUENCED, PUBLISHED, ANCHORED, FINAL)


@dataclass(frozen=True, slots=True)
class StageBounds:
    """The last record numbers of one log that are published, anchored and final, and the first that waits."""

    final: int
    anchored: int
    published: int
    waiting: int | None

    def stage_of(self, record: int) -> str:
        """The stage of one of the log's records."""
        if record <= self.final:
            return FINAL
        if record <= self.anchored:
            return ANCHORED
        if record <= self.published:
            return PUBLISHED
        return SEQUENCED if self.waiting is None or record < self.waiting else ACCEPTED


def read_bounds(conn: Connection, log_id: int) -> StageBounds:
    """The boundaries of a log in the snapshot of `conn`."""
    anchored, final = anchored_through(conn, log_id)
    return StageBounds(
        final=_last_of(conn, log_id, final),
        anchored=_last_of(conn, log_id, anchored),
        published=_last_of(conn, log_id, read_head(conn, log_id).size),
        waiting=conn.execute(select(func.min(outbox.c.record)).where(outbox.c.log_id == log_id)).scalar(),
    )


def _last_of(conn: Connection, log_id: int, size: int) -> int:
    """The number of the last of a log's first `size` entries; 0 without entries."""
    if size == 0:
        return 0
    wanted = select(log_entries.c.record).where(log_entries.c.log_id == log_id, log_entries.c.idx == size - 1)
    return int(conn.execute(wanted).scalar_one())
