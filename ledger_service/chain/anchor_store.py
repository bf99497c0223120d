"""Anchors: which checkpoints are meant for the chain, where each was seen, and which of that still stands."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, exists, func, insert, select, true, update

from ledger_service.chain.tables import anchor_sightings, anchors, chain_contracts, chain_logs
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sqlalchemy import ColumnElement, Connection, FromClause, Row, ScalarSelect, Select

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

PUBLISHED: Final = "published"
ANCHORED: Final = "anchored"
FINAL: Final = "final"
MAX_BLOCK: Final = 2**62
_PAGE: Final = 64
_other: Final = anchors.alias("other")
# Asked for by itself: beside another condition SQLite prefers an index that leads to every anchor.
_DISPUTED: Final = select(anchors.c.id).where(anchors.c.disputed.is_not(None))


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
        anchored = select(anchors.c.id).where(
            anchors.c.contract.in_(_contracts(chain)), anchors.c.stage == ANCHORED
        )
        with self._db.read() as conn:
            waiting = {row.id for row in conn.execute(anchored)}
            waiting |= {row.id for row in conn.execute(_DISPUTED)}
            if not waiting:
                return ()
            found = conn.execute(
                _standing().where(anchor_sightings.c.chain == chain, anchors.c.id.in_(waiting))
            )
            return tuple(_seen_anchor(row) for row in found)

    def finished(self, chain: int) -> Iterator[SeenAnchor]:
        """Yield the undisputed final anchors, those in the highest blocks first."""
        below = MAX_BLOCK
        while page := self._page(chain, below=below):
            yield from (each for each in page if each.stage == FINAL and not each.disputed)
            below = page[-1].seen.block_number

    def newest_standing(self, contract: int) -> dict[int, SeenAnchor]:
        """Return, for each log, the largest anchor in a contract with a sighting that stands."""
        stands = exists().where(anchor_sightings.c.anchor == anchors.c.id, anchor_sightings.c.lost.is_(None))
        top = _largest(anchors.c.id, chain_logs.c.log, contract, stands)
        ids = select(top).select_from(chain_logs).where(chain_logs.c.contract == contract)
        with self._db.read() as conn:
            return {
                row.log: _seen_anchor(row) for row in conn.execute(_standing().where(anchors.c.id.in_(ids)))
            }

    def planned(self, contract: int) -> tuple[PlannedAnchor, ...]:
        """Return the anchors meant for a contract that no final anchor covers and no sighting stands for."""
        covered = _largest(
            _other.c.size, anchors.c.log, contract, and_(_other.c.stage == FINAL, _other.c.disputed.is_(None)),
            table=_other,
        )  # fmt: skip
        published = select(anchors.c.id).where(anchors.c.contract == contract, anchors.c.stage == PUBLISHED)
        with self._db.read() as conn:
            ids = {row.id for query in (published, _DISPUTED) for row in conn.execute(query)}
            if not ids:
                return ()
            query = select(anchors).where(
                anchors.c.id.in_(ids),
                anchors.c.contract == contract,
                anchors.c.size > func.coalesce(covered, 0),
            )
            return tuple(
                PlannedAnchor(contract, row.log, row.size, row.root)
                for row in conn.execute(query.order_by(anchors.c.log, anchors.c.size))
            )

    def last_planned(self, contract: int, logs: Collection[int]) -> dict[int, int]:
        """Return, for each of `logs` that was ever planned, the instant at which its largest anchor was."""
        planned = _largest(anchors.c.planned, chain_logs.c.log, contract, true())
        query = select(chain_logs.c.log, planned.label("planned")).where(
            chain_logs.c.contract == contract, chain_logs.c.log.in_(logs)
        )
        with self._db.read() as conn:
            return {row.log: row.planned for row in conn.execute(query) if row.planned is not None}

    def log_ids(self, contract: int) -> dict[int, bytes]:
        """Return, for each log, the id under which a contract knows it."""
        query = select(chain_logs.c.log, chain_logs.c.log_id).where(chain_logs.c.contract == contract)
        with self._db.read() as conn:
            return {row.log: row.log_id for row in conn.execute(query)}

    def eras(self, contract: int) -> dict[int, int]:
        """Return, for each log, the era of its keys that a contract was last seen to obey."""
        query = select(chain_logs.c.log, chain_logs.c.era).where(chain_logs.c.contract == contract)
        with self._db.read() as conn:
            return {row.log: row.era for row in conn.execute(query)}

    def disputed(self, chain: int) -> tuple[PlannedAnchor, ...]:
        """Return the final anchors that the chain no longer holds."""
        query = select(anchors).where(anchors.c.id.in_(_DISPUTED), anchors.c.contract.in_(_contracts(chain)))
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

    def obey(self, conn: Connection, *, contract: int, log: int, era: int) -> None:
        """Store which era of a log's keys a contract obeys."""
        where = and_(chain_logs.c.contract == contract, chain_logs.c.log == log)
        conn.execute(update(chain_logs).where(where).values(era=era))

    def see(self, conn: Connection, anchor: PlannedAnchor, seen: Sighting, *, stage: str) -> None:
        """Store that an anchor stands in a block, `anchored` or `final` already. A final one stays final."""
        row = self._ensure(conn, anchor)
        where = and_(anchor_sightings.c.anchor == row, anchor_sightings.c.block_hash == seen.block_hash)
        again = conn.execute(update(anchor_sightings).where(where).values(lost=None))
        if again.rowcount == 0:
            values = {each.name: getattr(seen, each.name) for each in fields(Sighting)}
            chain = select(chain_contracts.c.chain).where(chain_contracts.c.id == anchor.contract)
            values |= {
                "anchor": row,
                "chain": chain.scalar_subquery(),
                "seen": to_instant(self._clock.now()),
            }
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

    def _page(self, chain: int, *, below: int) -> tuple[SeenAnchor, ...]:
        """Return the sightings that stand in the highest blocks below one, every sighting of the lowest of them."""
        numbers = (
            select(anchor_sightings.c.block_number)
            .where(
                anchor_sightings.c.chain == chain,
                anchor_sightings.c.block_number < below,
                anchor_sightings.c.lost.is_(None),
            )
            .order_by(anchor_sightings.c.block_number.desc())
            .limit(_PAGE)
        )
        with self._db.read() as conn:
            found = conn.execute(numbers).scalars().all()
            if not found:
                return ()
            rows = conn.execute(
                _standing()
                .where(anchor_sightings.c.chain == chain)
                .where(anchor_sightings.c.block_number.between(found[-1], below - 1))
                .order_by(anchor_sightings.c.block_number.desc(), anchor_sightings.c.id.desc())
            )
            return tuple(_seen_anchor(row) for row in rows)

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


def _standing() -> Select[Any]:
    """The sightings that stand, with their anchors."""
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
        .where(anchor_sightings.c.lost.is_(None))
    )


def _contracts(chain: int) -> Select[Any]:
    return select(chain_contracts.c.id).where(chain_contracts.c.chain == chain)


def _largest(
    column: ColumnElement[int],
    log: ColumnElement[int],
    contract: int,
    condition: ColumnElement[bool],
    *,
    table: FromClause = anchors,
) -> ScalarSelect[int]:
    """A column of the largest anchor of a log that meets a condition: one step from the end of an index."""
    return (
        select(column)
        .where(table.c.contract == contract, table.c.log == log, condition)
        .order_by(table.c.size.desc())
        .limit(1)
        .scalar_subquery()
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
