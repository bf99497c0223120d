"""Anchors: which checkpoints are meant for the chain, where each was seen, and which of that still stands."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, insert, or_, select, update

from ledger_service.chain.tables import anchor_sightings, anchors, chain_contracts, chain_logs
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

PUBLISHED: Final = "published"
ANCHORED: Final = "anchored"
FINAL: Final = "final"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An anchor in one block. Times are in seconds; `previous` values are None for a log's first head."""

    log_id: bytes
    time: int
    previous_size: int
    previous_root: bytes | None
    previous_time: int | None
    block_number: int
    block_hash: bytes
    block_time: int
    tx_hash: bytes
    header_rlp: bytes | None


@dataclass(frozen=True, slots=True)
class SeenAnchor:
    """An anchor and one sighting of it; `sighting` is the row's id."""

    anchor: int
    sighting: int
    contract: int
    log: int
    size: int
    root: bytes
    stage: str
    disputed: bool
    seen: Sighting


@dataclass(frozen=True, slots=True)
class PlannedAnchor:
    """An anchor that no sighting stands for at present."""

    contract: int
    log: int
    size: int
    root: bytes


class AnchorStore:
    """The anchors of all logs. What takes a connection belongs into the caller's transaction."""

    __slots__ = ("_clock", "_db")

    def __init__(self, db: Database, *, clock: Clock) -> None:
        """Keep them in `db`."""
        self._db = db
        self._clock = clock

    # --- what is known --------------------------------------------------------------------------------------

    def unfinished(self, chain: int) -> tuple[SeenAnchor, ...]:
        """Return the anchors that stand in a block and wait for confirmations, disputed ones among them."""
        return self._standing(chain, or_(anchors.c.stage == ANCHORED, anchors.c.disputed.is_not(None)))

    def finished(self, chain: int, *, limit: int | None = None) -> tuple[SeenAnchor, ...]:
        """Return the undisputed final anchors, those in the highest blocks first."""
        return self._standing(
            chain, and_(anchors.c.stage == FINAL, anchors.c.disputed.is_(None)), limit=limit
        )

    def _standing(
        self, chain: int, condition: ColumnElement[bool], *, limit: int | None = None
    ) -> tuple[SeenAnchor, ...]:
        query = (
            _seen()
            .where(chain_contracts.c.chain == chain, anchor_sightings.c.lost.is_(None), condition)
            .order_by(anchor_sightings.c.block_number.desc(), anchor_sightings.c.id.desc())
            .limit(limit)
        )
        with self._db.read() as conn:
            return tuple(_seen_anchor(row) for row in conn.execute(query))

    def newest_standing(self, contract: int) -> dict[int, SeenAnchor]:
        """Return, for each log, the largest anchor in a contract with a sighting that stands."""
        largest = (
            select(anchors.c.log, func.max(anchors.c.size).label("size"))
            .join(anchor_sightings, anchor_sightings.c.anchor == anchors.c.id)
            .where(anchors.c.contract == contract, anchor_sightings.c.lost.is_(None))
            .group_by(anchors.c.log)
            .subquery()
        )
        query = _seen().where(
            anchors.c.contract == contract,
            anchors.c.log == largest.c.log,
            anchors.c.size == largest.c.size,
            anchor_sightings.c.lost.is_(None),
        )
        with self._db.read() as conn:
            return {row.log: _seen_anchor(row) for row in conn.execute(query)}

    def planned(self, contract: int) -> tuple[PlannedAnchor, ...]:
        """Return the anchors meant for a contract that no final anchor covers and no sighting stands for."""
        final = (
            select(anchors.c.log, func.max(anchors.c.size).label("size"))
            .where(anchors.c.contract == contract, anchors.c.stage == FINAL, anchors.c.disputed.is_(None))
            .group_by(anchors.c.log)
            .subquery()
        )
        query = (
            select(anchors)
            .outerjoin(final, final.c.log == anchors.c.log)
            .where(
                anchors.c.contract == contract,
                (anchors.c.stage == PUBLISHED) | anchors.c.disputed.is_not(None),
                anchors.c.size > func.coalesce(final.c.size, 0),
            )
            .order_by(anchors.c.log, anchors.c.size)
        )
        with self._db.read() as conn:
            return tuple(PlannedAnchor(contract, row.log, row.size, row.root) for row in conn.execute(query))

    def last_planned(self, contract: int) -> dict[int, int]:
        """Return, for each log, the instant at which its last anchor was planned."""
        query = (
            select(anchors.c.log, func.max(anchors.c.planned).label("planned"))
            .where(anchors.c.contract == contract)
            .group_by(anchors.c.log)
        )
        with self._db.read() as conn:
            return {row.log: row.planned for row in conn.execute(query)}

    def log_ids(self, contract: int) -> dict[int, bytes]:
        """Return, for each log, the id under which a contract knows it."""
        query = select(chain_logs.c.log, chain_logs.c.log_id).where(chain_logs.c.contract == contract)
        with self._db.read() as conn:
            return {row.log: row.log_id for row in conn.execute(query)}

    def disputed(self, chain: int) -> tuple[PlannedAnchor, ...]:
        """Return the final anchors that the chain no longer holds."""
        query = (
            select(anchors)
            .join(chain_contracts, chain_contracts.c.id == anchors.c.contract)
            .where(chain_contracts.c.chain == chain, anchors.c.disputed.is_not(None))
        )
        with self._db.read() as conn:
            return tuple(
                PlannedAnchor(row.contract, row.log, row.size, row.root) for row in conn.execute(query)
            )

    # --- what changes ---------------------------------------------------------------------------------------

    def plan(self, anchor: PlannedAnchor) -> Callable[[Connection, int, int], None]:
        """Return what stores a planned anchor beside its action; at most one row for each log and size."""

        def store(conn: Connection, action: int, nonce: int) -> None:
            del action, nonce
            self._ensure(conn, anchor)

        return store

    def name_log(self, conn: Connection, *, contract: int, log: int, log_id: bytes) -> None:
        """Store under which id a contract knows a log, in place of what was stored before."""
        where = and_(chain_logs.c.contract == contract, chain_logs.c.log == log)
        changed = conn.execute(update(chain_logs).where(where).values(log_id=log_id))
        if changed.rowcount == 0:
            conn.execute(insert(chain_logs).values(contract=contract, log=log, log_id=log_id))

    def see(self, conn: Connection, anchor: PlannedAnchor, seen: Sighting, *, stage: str) -> None:
        """Store that an anchor stands in a block, `anchored` or `final` already. A final one stays final."""
        row = self._ensure(conn, anchor)
        where = and_(anchor_sightings.c.anchor == row, anchor_sightings.c.block_hash == seen.block_hash)
        again = conn.execute(update(anchor_sightings).where(where).values(lost=None))
        if again.rowcount == 0:
            values = {each.name: getattr(seen, each.name) for each in fields(Sighting)}
            values |= {"anchor": row, "seen": to_instant(self._clock.now())}
            conn.execute(insert(anchor_sightings).values(values))
        if stage == FINAL:
            self._finish(conn, row)
        else:
            conn.execute(
                update(anchors)
                .where(anchors.c.id == row, anchors.c.stage == PUBLISHED)
                .values(stage=ANCHORED)
            )

    def lose(self, conn: Connection, lost: SeenAnchor) -> None:
        """Store that a reorganization took an anchor away: back to published, the one step back."""
        now = to_instant(self._clock.now())
        conn.execute(update(anchor_sightings).where(anchor_sightings.c.id == lost.sighting).values(lost=now))
        conn.execute(
            update(anchors)
            .where(anchors.c.id == lost.anchor, anchors.c.stage == ANCHORED)
            .values(stage=PUBLISHED)
        )
        conn.execute(
            update(anchors).where(anchors.c.id == lost.anchor, anchors.c.stage == FINAL).values(disputed=now)
        )

    def finish(self, conn: Connection, done: SeenAnchor) -> None:
        """Store that an anchor has its confirmations. It is final from now on, and no longer disputed."""
        self._finish(conn, done.anchor)

    def _finish(self, conn: Connection, row: int) -> None:
        conn.execute(update(anchors).where(anchors.c.id == row).values(stage=FINAL, disputed=None))

    def _ensure(self, conn: Connection, anchor: PlannedAnchor) -> int:
        where = (
            anchors.c.contract == anchor.contract,
            anchors.c.log == anchor.log,
            anchors.c.size == anchor.size,
        )
        row = conn.execute(select(anchors.c.id).where(*where)).scalar_one_or_none()
        if row is not None:
            return int(row)
        values = {
            "contract": anchor.contract,
            "log": anchor.log,
            "size": anchor.size,
            "root": anchor.root,
            "stage": PUBLISHED,
            "planned": to_instant(self._clock.now()),
        }
        return int(conn.execute(insert(anchors).values(values).returning(anchors.c.id)).scalar_one())


def _seen() -> Select[Any]:
    return (
        select(
            anchor_sightings,
            anchors.c.contract,
            anchors.c.log,
            anchors.c.size,
            anchors.c.root,
            anchors.c.stage,
            anchors.c.disputed,
        )
        .join(anchors, anchors.c.id == anchor_sightings.c.anchor)
        .join(chain_contracts, chain_contracts.c.id == anchors.c.contract)
    )


def _seen_anchor(row: Row[Any]) -> SeenAnchor:
    return SeenAnchor(
        anchor=row.anchor,
        sighting=row.id,
        contract=row.contract,
        log=row.log,
        size=row.size,
        root=row.root,
        stage=row.stage,
        disputed=row.disputed is not None,
        seen=Sighting(**{each.name: getattr(row, each.name) for each in fields(Sighting)}),
    )
