"""How much there is of everything and how far it has come: figures for operators, without names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from ledger_service.chain.status_store import count_waiting
from ledger_service.log.tables import checkpoints, log_heads, logs
from ledger_service.records.tables import outbox, records
from ledger_service.storage.metadata import from_instant
from ledger_service.verification.anchors import ANCHORED, FINAL, PUBLISHED, anchored_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Vitals:
    """Figures of one moment. Ages are in seconds, and 0 where there is nothing that could have one.

    `entries` counts by collection and stage; what is final is anchored, and what is anchored is published.
    """

    entries: Mapping[tuple[str, str], int]
    waiting: int
    oldest_waiting_s: float
    oldest_checkpoint_s: float
    oldest_unanchored_s: float
    status_changes_waiting: int


def read_vitals(conn: Connection, *, now: datetime) -> Vitals:
    """The figures in the snapshot of `conn`."""
    seconds = now.timestamp()
    anchored, final = (anchored_sizes(final=only).subquery() for only in (False, True))
    entries: dict[tuple[str, str], int] = {}
    for row in conn.execute(
        select(
            logs.c.collection,
            func.sum(log_heads.c.size).label(PUBLISHED),
            func.sum(func.coalesce(anchored.c.size, 0)).label(ANCHORED),
            func.sum(func.coalesce(final.c.size, 0)).label(FINAL),
        )
        .join(log_heads, log_heads.c.log_id == logs.c.id)
        .outerjoin(anchored, anchored.c.log == logs.c.id)
        .outerjoin(final, final.c.log == logs.c.id)
        .group_by(logs.c.collection)
        .order_by(logs.c.collection)
    ):
        entries |= {
            (row.collection, stage): int(getattr(row, stage)) for stage in (PUBLISHED, ANCHORED, FINAL)
        }
    return Vitals(
        entries=entries,
        waiting=conn.execute(select(func.count()).select_from(outbox)).scalar_one(),
        oldest_waiting_s=_age(conn.execute(_OLDEST_WAITING).scalar(), now=now),
        oldest_checkpoint_s=_since(conn.execute(_OLDEST_HEAD).scalar(), seconds),
        oldest_unanchored_s=_since(conn.execute(_OLDEST_UNANCHORED).scalar(), seconds),
        status_changes_waiting=count_waiting(conn),
    )


# Numbers are taken in the order of acceptance, so the smallest one waits longest.
_OLDEST_WAITING: Final = select(records.c.accepted).where(
    records.c.id == select(func.min(outbox.c.record)).scalar_subquery()
)
_OLDEST_HEAD: Final = select(func.min(log_heads.c.timestamp)).where(log_heads.c.size > 0)
_THROUGH: Final = anchored_sizes(final=False).subquery()
# For each log the first checkpoint that no anchor covers: one look into an index.
_FIRST_UNANCHORED: Final = (
    select(checkpoints.c.timestamp)
    .where(checkpoints.c.log_id == logs.c.id, checkpoints.c.size > func.coalesce(_THROUGH.c.size, 0))
    .order_by(checkpoints.c.size)
    .limit(1)
    .correlate(logs, _THROUGH)
    .scalar_subquery()
)
_PER_LOG: Final = (
    select(_FIRST_UNANCHORED.label("timestamp"))
    .select_from(logs.outerjoin(_THROUGH, _THROUGH.c.log == logs.c.id))
    .subquery()
)
_OLDEST_UNANCHORED: Final = select(func.min(_PER_LOG.c.timestamp))


def _age(instant: int | None, *, now: datetime) -> float:
    return 0.0 if instant is None else max(0.0, (now - from_instant(instant)).total_seconds())


def _since(timestamp: int | None, seconds: float) -> float:
    return 0.0 if timestamp is None else max(0.0, seconds - timestamp)
