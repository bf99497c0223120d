"""What was asked of the chain is written down: nonces, bytes, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from eth_utils.crypto import keccak

from ledger_service.chain.account import Call, Fees, PublisherAccount
from ledger_service.chain.actions import DONE, ActionJournal, Request, Settlement
from ledger_service.chain.client import ChainIdentity
from ledger_service.chain.pins import ChainPins

if TYPE_CHECKING:
    from ledger_service.chain.pins import PinnedChain
    from ledger_service.storage.engine import Database
    from tests.support.paper_logs import PaperLogs
    from tests.unit.chain.conftest import TickingClock

FEES = Fees(10, 1)
ACCOUNT = PublisherAccount(b"\x11" * 32)


def ask(kind: str = "status", *, log: int | None = None, data: bytes = b"") -> Request:
    """A request that differs by its data."""
    return Request(kind, Call(b"\x22" * 20, data), gas=21_000, fees=FEES, log=log)


@pytest.fixture
def journal(database: Database, chain: PinnedChain, clock: TickingClock) -> ActionJournal:
    """The journal of one account."""
    return ActionJournal(database, chain=chain.row, chain_id=31337, account=ACCOUNT, clock=clock)


def test_a_plan_is_signed_before_anything_is_sent(journal: ActionJournal) -> None:
    """Each action has its nonce and the bytes that will go out, and reads back as it was."""
    planned = journal.plan([ask(data=b"a"), ask(data=b"b")], nonce=4, height=9)
    assert [action.nonce for action in planned] == [4, 5]
    for action in planned:
        (variant,) = action.variants
        assert variant.tx_hash == keccak(variant.raw)
        assert (variant.planned_height, variant.fees, variant.gas) == (9, FEES, 21_000)
    assert journal.unsettled(nonce=4, final_height=0) == planned
    assert journal.find(planned[1].id) == planned[1]


def test_free_nonces_are_filled_from_below(journal: ActionJournal) -> None:
    """A gap that a reorganization left is taken first, so that nothing waits behind it for ever."""
    journal.plan([ask(data=b"a")], nonce=3, height=0)
    journal.plan([ask(data=b"b")], nonce=5, height=0)
    planned = journal.plan([ask(data=bytes([n])) for n in range(3)], nonce=3, height=0)
    assert [action.nonce for action in planned] == [4, 6, 7]


def test_two_planners_make_one_plan(journal: ActionJournal, logs: PaperLogs) -> None:
    """A log that waits for the chain already is left out; another log or another kind is not."""
    one, two = (paper.number for paper in logs.papers)
    first = journal.plan([ask("publish", log=one)], nonce=0, height=0)
    again = journal.plan(
        [ask("publish", log=one), ask("publish", log=two), ask("open", log=one)], nonce=0, height=0
    )
    assert [action.log for action in first] == [one]
    assert [(action.kind, action.log) for action in again] == [("publish", two), ("open", one)]


def test_what_belongs_to_an_action_is_stored_with_it(journal: ActionJournal) -> None:
    """When storing it fails, neither the action nor its nonce exists."""

    def refuse(*_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        journal.plan([ask(), Request("x", Call(None, b""), 1, FEES, also=refuse)], nonce=0, height=0)
    assert journal.unsettled(nonce=0, final_height=0) == ()


def test_a_variant_keeps_nonce_and_call(journal: ActionJournal) -> None:
    """Paying more changes fees and hash and nothing else; the same fees again add nothing."""
    (action,) = journal.plan([ask(data=b"a")], nonce=0, height=1)
    raised = journal.add_variant(action, gas=30_000, fees=Fees(20, 2), height=7)
    assert (raised.nonce, raised.call) == (action.nonce, action.call)
    assert raised.variants[0] == action.variants[0]
    assert raised.variants[1].tx_hash != action.variants[0].tx_hash
    assert journal.add_variant(action, gas=30_000, fees=Fees(20, 2), height=8) == raised


def test_an_end_may_change_until_it_is_final(journal: ActionJournal, database: Database) -> None:
    """An action stays in sight while its block may still go, and comes back when its nonce is free again."""
    (action,) = journal.plan([ask()], nonce=0, height=1)
    end = Settlement(DONE, 7, b"\x07" * 32)
    with database.write("chain.observe") as conn:
        journal.settle(conn, [(action, end)])
    (seen,) = journal.unsettled(nonce=1, final_height=6)
    assert seen.settlement == end
    assert journal.unsettled(nonce=1, final_height=7) == ()
    assert journal.unsettled(nonce=0, final_height=7) == (seen,)
    with database.write("chain.observe") as conn:
        journal.settle(conn, [(seen, None)])
    assert journal.unsettled(nonce=1, final_height=7) == (action,)


def test_two_chains_with_one_id_keep_their_actions_apart(
    database: Database, chain: PinnedChain, journal: ActionJournal, clock: TickingClock
) -> None:
    """After a move to another chain of the same id, the same bytes are another action."""
    moved = ChainPins(database, clock=clock).pin(ChainIdentity(31337, b"\x0e" * 32), self_anchored=False)
    other = ActionJournal(database, chain=moved.row, chain_id=31337, account=ACCOUNT, clock=clock)
    (here,) = journal.plan([ask()], nonce=0, height=0)
    (there,) = other.plan([ask()], nonce=0, height=0)
    assert moved.row != chain.row
    assert here.variants[0].raw == there.variants[0].raw
    assert journal.unsettled(nonce=0, final_height=0) == (here,)
