"""Anchors are remembered for ever, at most one for each log and size, and step back in one way only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from ledger_service.chain.anchor_store import ANCHORED, FINAL, PUBLISHED, AnchorStore, PlannedAnchor, Sighting
from ledger_service.chain.tables import anchor_sightings, anchors, chain_contracts, chain_logs

if TYPE_CHECKING:
    from ledger_service.chain.pins import PinnedChain
    from ledger_service.storage.engine import Database
    from tests.support.paper_logs import PaperLogs
    from tests.unit.chain.conftest import TickingClock


def sighting(number: int, *, fork: int = 0) -> Sighting:
    """A sighting in a block."""
    block = bytes([fork]) + number.to_bytes(31, "big")
    return Sighting(b"\x0a" * 32, 1000 + number, 0, None, None, number, block, 1000 + number, block, None)


class Book:
    """A store with a contract that knows the first log."""

    def __init__(self, database: Database, clock: TickingClock, *, chain: int, log: int) -> None:
        """Make the rows around it."""
        self.database = database
        self.store = AnchorStore(database, clock=clock)
        self.chain = chain
        self.log = log
        contract = {
            "chain": chain,
            "kind": "PurchaseLedger",
            "address": b"\x0c" * 20,
            "code_hash": b"\x0d" * 32,
        }
        with database.write("chain.pin") as conn:
            row = insert(chain_contracts).values(contract).returning(chain_contracts.c.id)
            self.contract: int = conn.execute(row).scalar_one()
            conn.execute(insert(chain_logs).values(contract=self.contract, log=log, log_id=b"\x0a" * 32))

    def anchor(self, size: int) -> PlannedAnchor:
        """An anchor of the first log."""
        return PlannedAnchor(self.contract, self.log, size, bytes([size]) * 32)

    def plan(self, size: int) -> None:
        """Plan an anchor."""
        with self.database.write("chain.plan") as conn:
            self.store.plan(self.anchor(size))(conn, 0, 0)

    def see(self, size: int, seen: Sighting, stage: str = ANCHORED) -> None:
        """See an anchor."""
        with self.database.write("chain.observe") as conn:
            self.store.see(conn, self.anchor(size), seen, stage=stage)

    def lose(self) -> None:
        """Lose the newest anchor that stands."""
        (top,) = self.store.newest_standing(self.contract).values()
        with self.database.write("chain.observe") as conn:
            self.store.lose(conn, top)

    def finish(self) -> None:
        """Finish what waits."""
        with self.database.write("chain.observe") as conn:
            for each in self.store.unfinished(self.chain):
                self.store.finish(conn, each)

    def stage(self, size: int) -> str:
        """The stage of an anchor."""
        with self.database.read() as conn:
            return str(conn.execute(select(anchors.c.stage).where(anchors.c.size == size)).scalar_one())

    def rows(self) -> tuple[int, int]:
        """How many anchors and sightings there are."""
        with self.database.read() as conn:
            return tuple(
                conn.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (anchors, anchor_sightings)
            )  # type: ignore[return-value]


@pytest.fixture
def book(database: Database, clock: TickingClock, chain: PinnedChain, logs: PaperLogs) -> Book:
    """A store and what it needs."""
    return Book(database, clock, chain=chain.row, log=logs.papers[0].number)


def test_an_anchor_goes_forward_by_sightings(book: Book) -> None:
    """Published when planned, anchored when seen, final when finished; each is listed where it is due."""
    book.plan(5)
    assert (book.stage(5), book.store.planned(book.contract)) == (PUBLISHED, (book.anchor(5),))
    book.see(5, sighting(7))
    assert (book.stage(5), book.store.planned(book.contract)) == (ANCHORED, ())
    assert [each.size for each in book.store.unfinished(book.chain)] == [5]
    book.finish()
    assert book.stage(5) == FINAL
    assert book.store.unfinished(book.chain) == ()
    assert [each.size for each in book.store.finished(book.chain)] == [5]


def test_there_is_one_row_for_each_log_and_size(book: Book) -> None:
    """Planned twice and seen in two blocks, it is one anchor with two sightings; the same block again adds none."""
    for _ in range(2):
        book.plan(5)
    book.see(5, sighting(7))
    book.lose()
    book.see(5, sighting(8, fork=1))
    assert book.rows() == (1, 2)
    book.see(5, sighting(8, fork=1))
    assert book.rows() == (1, 2)


def test_a_lost_anchor_is_published_and_planned_again(book: Book) -> None:
    """The one step back: what the chain dropped is due again, and the sighting stays as lost."""
    book.see(5, sighting(7))
    book.lose()
    assert (book.stage(5), book.store.planned(book.contract)) == (PUBLISHED, (book.anchor(5),))
    assert book.store.newest_standing(book.contract) == {}
    book.see(5, sighting(7))
    assert book.stage(5) == ANCHORED
    assert book.rows() == (1, 1)


def test_a_lost_final_anchor_stays_final_and_disputed(book: Book) -> None:
    """Final is never withdrawn: the row is disputed until the chain holds the anchor again, deep enough."""
    book.see(5, sighting(7), stage=FINAL)
    book.lose()
    assert book.stage(5) == FINAL
    assert book.store.disputed(book.chain) == book.store.planned(book.contract) == (book.anchor(5),)
    assert list(book.store.finished(book.chain)) == []
    book.see(5, sighting(9, fork=1))
    assert [each.disputed for each in book.store.unfinished(book.chain)] == [True]
    book.finish()
    assert book.store.disputed(book.chain) == ()
    assert [each.size for each in book.store.finished(book.chain)] == [5]


def test_a_final_anchor_covers_the_smaller_ones(book: Book) -> None:
    """What was planned and skipped is not due any more once a larger one is final."""
    book.plan(5)
    book.plan(6)
    book.see(9, sighting(7))
    assert [each.size for each in book.store.planned(book.contract)] == [5, 6]
    book.finish()
    assert book.store.planned(book.contract) == ()


def test_final_anchors_come_newest_first_through_all_pages(book: Book) -> None:
    """However many there are, and several in a block, each comes once, in the order of the blocks from above."""
    for number in range(1, 200):
        anchor = replace(book.anchor(1), size=number, root=bytes(32))
        seen = replace(sighting(number // 3), block_hash=number.to_bytes(32, "big"))
        with book.database.write("chain.observe") as conn:
            book.store.see(conn, anchor, seen, stage=FINAL if number % 5 else ANCHORED)
    found = [(each.seen.block_number, each.size) for each in book.store.finished(book.chain)]
    assert found == sorted(found, reverse=True)
    assert [size for _, size in found] == [number for number in range(199, 0, -1) if number % 5]
    assert book.store.newest_standing(book.contract)[book.log].size == 199


def test_the_last_plan_of_a_log_is_known(book: Book) -> None:
    """Logs that were never planned are not listed."""
    book.plan(5)
    first = book.store.last_planned(book.contract, [book.log, book.log + 1])
    book.plan(6)
    second = book.store.last_planned(book.contract, [book.log])
    assert first.keys() == second.keys() == {book.log}
    assert second[book.log] > first[book.log]
