"""Which changes of status the contract shall hold, and in which block it holds each of them.

The log is the truth; a row here says how far the contract has followed. Rows are taken up once, in the order
of the log, when the entry that explains a change lies under an accepted head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, exists, func, insert, select, update

from ledger_service.chain.states import RecordState
from ledger_service.chain.tables import chain_contracts, chains, status_cursors, status_mirrors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection, Row

    from ledger_service.chain.client import Block
    from ledger_service.chain.contract import StatusChange
    from ledger_service.chain.source import LoggedChange
    from ledger_service.storage.engine import Database

MIRRORED: Final = "mirrored"
REFUSED: Final = "refused"
_earlier: Final = status_mirrors.alias("earlier")
_UNSEEN: Final = {"outcome": None, "block_number": None, "block_hash": None, "tx_hash": None, "since": None,
                  "refusal": None}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mirror:
    """A change of the record at one position of a log, explained at a later one, and a contract's row."""

    contract: int
    log: int
    explanation: int
    record: int
    state: RecordState
    reason: int


@dataclass(frozen=True, slots=True)
class MirroredChange:
    """A change as operators see it, in the contract at an address of a chain.

    Without `outcome` the contract does not hold it yet. `since` is the block's time in seconds, of a mirrored
    change alone; `refusal` has the contract's words.
    """

    mirror: Mirror
    chain_id: int
    address: bytes
    outcome: str | None
    block_number: int | None
    tx_hash: bytes | None
    since: int | None
    refusal: str | None


class StatusStore:
    """The mirrored changes of all logs. What takes a connection belongs into the caller's transaction."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        """Keep them in `db`."""
        self._db = db

    # --- what is known --------------------------------------------------------------------------------------

    def cursors(self, contract: int) -> dict[int, int]:
        """Return, for each log, up to which position its changes were taken up for a contract."""
        query = select(status_cursors.c.log, status_cursors.c.size).where(
            status_cursors.c.contract == contract
        )
        with self._db.read() as conn:
            return {row.log: row.size for row in conn.execute(query)}

    def logs_waiting(self, contract: int) -> tuple[int, ...]:
        """Return the logs with changes that a contract does not hold: one index step for each log."""
        waits = exists().where(_waiting(contract, status_cursors.c.log))
        query = select(status_cursors.c.log).where(status_cursors.c.contract == contract, waits)
        with self._db.read() as conn:
            return tuple(conn.execute(query.order_by(status_cursors.c.log)).scalars())

    def waiting(self, contract: int, log: int, *, below: int, most: int) -> tuple[Mirror, ...]:
        """Return what waits in a log, in its order, explained below a position, at most `most`.

        Of one record only the first: the next is a change of what that one makes of it.
        """
        same = and_(_earlier.c.contract == contract, _earlier.c.log == log, _earlier.c.outcome.is_(None))
        before = exists().where(
            same,
            _earlier.c.record == status_mirrors.c.record,
            _earlier.c.explanation < status_mirrors.c.explanation,
        )
        query = (
            select(status_mirrors)
            .where(_waiting(contract, log), status_mirrors.c.explanation < below, ~before)
            .order_by(status_mirrors.c.explanation)
            .limit(most)
        )
        with self._db.read() as conn:
            return tuple(_mirror(row) for row in conn.execute(query))

    def newest_block(self, contract: int, *, below: int) -> tuple[int, bytes] | None:
        """Return the highest block below one that an outcome was seen in, by number and hash."""
        query = (
            select(status_mirrors.c.block_number, status_mirrors.c.block_hash)
            .where(status_mirrors.c.contract == contract, status_mirrors.c.block_number < below)
            .order_by(status_mirrors.c.block_number.desc())
            .limit(1)
        )
        with self._db.read() as conn:
            row = conn.execute(query).first()
        return None if row is None else (row.block_number, row.block_hash)

    def refused(self, contract: int) -> dict[int, tuple[int, str]]:
        """Return, for each log of which a contract refused changes, how many, and its words about one."""
        query = (
            select(
                status_mirrors.c.log,
                func.count().label("number"),
                func.min(status_mirrors.c.refusal).label("words"),
            )
            .where(status_mirrors.c.contract == contract, status_mirrors.c.outcome == REFUSED)
            .group_by(status_mirrors.c.log)
        )
        with self._db.read() as conn:
            return {row.log: (row.number, row.words) for row in conn.execute(query)}

    def mirrors(self, contract: int, log: int) -> dict[int, Row[Any]]:
        """Return the stored rows of a log by the position of what explains each change. For auditors."""
        query = select(status_mirrors).where(
            status_mirrors.c.contract == contract, status_mirrors.c.log == log
        )
        with self._db.read() as conn:
            return {row.explanation: row for row in conn.execute(query)}

    # --- what changes ---------------------------------------------------------------------------------------

    def take_up(
        self, conn: Connection, *, contract: int, log: int, size: int, changes: Iterable[LoggedChange]
    ) -> None:
        """Store the changes explained below position `size` that were not taken up before."""
        rows = [
            {
                "contract": contract,
                "log": log,
                "explanation": each.explanation,
                "record": each.record,
                "state": int(each.state),
                "reason": each.reason,
            }
            for each in changes
        ]
        if rows:
            conn.execute(insert(status_mirrors), rows)
        where = and_(status_cursors.c.contract == contract, status_cursors.c.log == log)
        if conn.execute(update(status_cursors).where(where).values(size=size)).rowcount == 0:
            conn.execute(insert(status_cursors).values(contract=contract, log=log, size=size))

    def see(self, conn: Connection, mirror: Mirror, told: StatusChange) -> None:
        """Store that the contract holds a change, by the event that told of it."""
        values = {
            "outcome": MIRRORED,
            "block_number": told.event.block_number,
            "block_hash": told.event.block_hash,
            "tx_hash": told.event.tx_hash,
            "since": told.since,
        }
        conn.execute(update(status_mirrors).where(_is(mirror)).values(values))

    def refuse(self, conn: Connection, mirror: Mirror, *, at: Block, words: str) -> None:
        """Store that the contract refuses a change for good, in the state after a block."""
        values = {
            "outcome": REFUSED,
            "block_number": at.number,
            "block_hash": at.hash,
            "refusal": words,
        }
        conn.execute(update(status_mirrors).where(_is(mirror)).values(values))

    def lose(self, conn: Connection, *, contract: int, first_block: int) -> None:
        """Store that a reorganization took back what was seen from a block on: all of that waits again."""
        where = and_(status_mirrors.c.contract == contract, status_mirrors.c.block_number >= first_block)
        conn.execute(update(status_mirrors).where(where).values(_UNSEEN))


def count_waiting(conn: Connection) -> int:
    """Return how many changes of status the log holds under an accepted head and the contract does not."""
    query = select(func.count()).where(status_mirrors.c.outcome.is_(None))
    return int(conn.execute(query.select_from(status_mirrors)).scalar_one())


def count_refused(conn: Connection) -> int:
    """Return how many changes of status contracts refuse for good."""
    query = select(func.count()).where(status_mirrors.c.outcome == REFUSED)
    return int(conn.execute(query.select_from(status_mirrors)).scalar_one())


def changes_of(conn: Connection, log: int, record: int) -> tuple[MirroredChange, ...]:
    """Return what is known of the changes of one record in contracts, in the order of the log."""
    query = (
        select(status_mirrors, chain_contracts.c.address, chains.c.chain_id)
        .join(chain_contracts, chain_contracts.c.id == status_mirrors.c.contract)
        .join(chains, chains.c.id == chain_contracts.c.chain)
        .where(status_mirrors.c.log == log, status_mirrors.c.record == record)
        .order_by(status_mirrors.c.explanation, status_mirrors.c.contract)
    )
    return tuple(
        MirroredChange(
            mirror=_mirror(row),
            chain_id=row.chain_id,
            address=bytes(row.address),
            outcome=row.outcome,
            block_number=row.block_number,
            tx_hash=None if row.tx_hash is None else bytes(row.tx_hash),
            since=row.since,
            refusal=row.refusal,
        )
        for row in conn.execute(query)
    )


def _waiting(contract: int, log: ColumnElement[int] | int) -> ColumnElement[bool]:
    return and_(
        status_mirrors.c.contract == contract,
        status_mirrors.c.log == log,
        status_mirrors.c.outcome.is_(None),
    )


def _is(mirror: Mirror) -> ColumnElement[bool]:
    return and_(
        status_mirrors.c.contract == mirror.contract,
        status_mirrors.c.log == mirror.log,
        status_mirrors.c.explanation == mirror.explanation,
    )


def _mirror(row: Row[Any]) -> Mirror:
    return Mirror(row.contract, row.log, row.explanation, row.record, RecordState(row.state), row.reason)
