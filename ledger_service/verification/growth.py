"""How a log grew and how its anchors followed, in as many points as a chart can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, select

from ledger_service.chain.tables import anchor_sightings, anchors, chain_contracts
from ledger_service.log.heads import read_head
from ledger_service.log.tables import checkpoints, log_entries
from ledger_service.records.tables import outbox
from ledger_service.verification.anchors import FINAL, anchored_through

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

MOST_POINTS: Final = 120


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """A checkpoint: the log had `size` entries at `time`, in seconds since 1970."""

    size: int
    time: int


@dataclass(frozen=True, slots=True)
class AnchorPoint:
    """An anchor of a log: the checkpoint of `size`, signed at `signed`, in a block of `time`, both in seconds."""

    size: int
    signed: int
    time: int
    block: int
    tx_hash: bytes
    final: bool

    @property
    def lag_s(self) -> int:
        """How long the checkpoint waited for the chain; 0 where the clocks differ the other way."""
        return max(0, self.time - self.signed)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many records of a log stand at each stage, and since when the first of them waits for a chain."""

    accepted: int
    sequenced: int
    published: int
    anchored: int
    final: int
    published_since: int | None

    @property
    def size(self) -> int:
        """How many entries are published."""
        return self.published + self.anchored + self.final


def read_growth(conn: Connection, log_id: int) -> tuple[GrowthPoint, ...]:
    """Checkpoints of a log, at most MOST_POINTS of even distances in size, the first and the last among them."""
    rows = [conn.execute(_NEXT, {"log": log_id, "size": size}).first() for size in _steps(conn, log_id)]
    found = {row.size: row.timestamp for row in rows if row is not None}
    return tuple(GrowthPoint(size, time) for size, time in sorted(found.items()))


def sample_anchors(conn: Connection, log_id: int) -> tuple[AnchorPoint, ...]:
    """Anchors of a log that stand on a chain, at most MOST_POINTS of even distances in size, smallest first."""
    at_least = _ANCHORS.where(anchors.c.size >= bindparam("size")).order_by(anchors.c.size).limit(1)
    rows = [conn.execute(at_least, {"log": log_id, "size": size}).first() for size in _steps(conn, log_id)]
    found = {row.size: _anchor_point(row) for row in rows if row is not None}
    return tuple(point for _, point in sorted(found.items()))


def newest_anchors(conn: Connection, log_id: int, *, most: int) -> tuple[AnchorPoint, ...]:
    """The newest anchors of a log that stand on a chain, newest first."""
    rows = conn.execute(_ANCHORS.order_by(anchors.c.size.desc()).limit(most), {"log": log_id})
    return tuple(_anchor_point(row) for row in rows)


def read_backlog(conn: Connection, log_id: int) -> Backlog:
    """How many records of a log stand at each stage."""
    size = read_head(conn, log_id).size
    anchored, final = anchored_through(conn, log_id)
    waiting = select(func.count()).select_from(outbox).where(outbox.c.log_id == log_id)
    unsigned = (
        select(func.count())
        .select_from(log_entries)
        .where(log_entries.c.log_id == log_id, log_entries.c.idx >= size)
    )
    first = conn.execute(_NEXT, {"log": log_id, "size": anchored + 1}).first()
    return Backlog(
        accepted=int(conn.execute(waiting).scalar_one()),
        sequenced=int(conn.execute(unsigned).scalar_one()),
        published=max(0, size - anchored),
        anchored=max(0, anchored - final),
        final=final,
        published_since=None if first is None else int(first.timestamp),
    )


_NEXT: Final = (
    select(checkpoints.c.size, checkpoints.c.timestamp)
    .where(checkpoints.c.log_id == bindparam("log"), checkpoints.c.size >= bindparam("size"))
    .order_by(checkpoints.c.size)
    .limit(1)
)
_ANCHORS: Final[Select[Any]] = (
    select(
        anchors.c.size,
        anchors.c.stage,
        anchors.c.disputed,
        checkpoints.c.timestamp.label("signed"),
        anchor_sightings.c.block_time,
        anchor_sightings.c.block_number,
        anchor_sightings.c.tx_hash,
    )
    .select_from(
        anchors.join(anchor_sightings, anchor_sightings.c.anchor == anchors.c.id)
        .join(chain_contracts, chain_contracts.c.id == anchors.c.contract)
        .join(checkpoints, (checkpoints.c.log_id == anchors.c.log) & (checkpoints.c.size == anchors.c.size))
    )
    .where(
        anchors.c.log == bindparam("log"),
        anchor_sightings.c.lost.is_(None),
        chain_contracts.c.code_hash.is_not(None),
    )
)


def _steps(conn: Connection, log_id: int) -> list[int]:
    """Sizes of even distances from 1 to the log's own."""
    size = read_head(conn, log_id).size
    number = min(MOST_POINTS, size)
    return [1 + step * (size - 1) // max(1, number - 1) for step in range(number)]


def _anchor_point(row: Row[Any]) -> AnchorPoint:
    return AnchorPoint(
        size=row.size,
        signed=row.signed,
        time=row.block_time,
        block=row.block_number,
        tx_hash=bytes(row.tx_hash),
        final=row.stage == FINAL and row.disputed is None,
    )
