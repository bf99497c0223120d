"""Several ledger threads on one database, as several servers have them: one leads, the others follow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger_service.log.lease import Holder, SequencerLease
from ledger_service.proofs.merkle import check_inclusion
from ledger_service.records.outcomes import Accepted
from tests.support.ledger_threads import WAIT_S, published, running
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from tests.support.small_ledger import SmallLedger


def leased(ledger: SmallLedger, token: str, *, lasts_s: float = 60.0) -> dict[str, Any]:
    """What makes a ledger thread one of several processes on the database."""
    lease = SequencerLease(
        ledger.database, clock=ledger.clock, holder=Holder("elsewhere", 1, token), lasts_s=lasts_s
    )
    return {"lease": lease}


def test_follower_answers_with_what_the_leader_published(ledger: SmallLedger) -> None:
    """Of two processes one sequences for both, and the other one's writers get proofs that check."""
    other = replace(ledger, sequencer=ledger.another_sequencer())
    first, second = leased(ledger, "a"), leased(ledger, "b")
    assert first["lease"].hold()
    with running(ledger, **first) as (leader, alarms), running(other, **second) as (follower, more_alarms):
        published(leader.submit([ledger.submission("first")]))
        tickets = [follower.submit([ledger.submission(f"b{n}")]) for n in range(20)]
        mine = leader.submit([ledger.submission("last")])
        indexes = [index for ticket in [*tickets, mine] for index in published(ticket)]
        assert (leader.leads, follower.leads) == (True, False)
    assert sorted(indexes) == list(range(2, 23))
    for ticket in tickets:
        (position,) = (ticket.wait_published(WAIT_S) or {}).values()
        (outcome,) = ticket.wait_accepted(WAIT_S) or (None,)
        assert isinstance(outcome, Accepted)
        step = position.step
        check_inclusion(
            outcome.leaf, index=position.index, size=step.size, root=step.root, proof=position.prove()
        )
    assert alarms == more_alarms == []


def test_follower_takes_over(ledger: SmallLedger) -> None:
    """When the leader ends, the follower sequences; what it accepted before is not lost."""
    other = replace(ledger, sequencer=ledger.another_sequencer())
    first, second = leased(ledger, "a"), leased(ledger, "b")
    assert first["lease"].hold()
    with running(other, **second) as (follower, _):
        with running(ledger, **first) as (leader, _):
            published(leader.submit([ledger.submission("a")]))
            published(follower.submit([ledger.submission("b")]))
        assert published(follower.submit([ledger.submission("c")])) == [3]
        assert follower.leads


def test_fenced_leader_goes_on_as_a_follower(ledger: SmallLedger) -> None:
    """A leader that was overtaken signs nothing more over the other's work, and its writers are served all the same."""
    other = replace(ledger, sequencer=ledger.another_sequencer())
    first = leased(ledger, "a", lasts_s=0.3)
    with running(ledger, **first) as (leader, alarms):
        published(leader.submit([ledger.submission("a")]))
        # Somebody believes that the leader is gone, takes its lease and its log.
        assert isinstance(ledger.clock, SetClock)
        ledger.clock.move(60)
        rival = leased(ledger, "b")["lease"]
        assert rival.hold()
        other.sequencer.heartbeat(ledger.log.id)
        ticket = leader.submit([ledger.submission("b")])
        assert ticket.wait_accepted(WAIT_S)
        while other.sequencer.sequence(ledger.log.id) is None and not ticket.wait_published(0.01):
            pass
        assert published(ticket) == [2]
    assert leader.failure is None
    assert {type(alarm).__name__ for alarm in alarms} <= {"FencedError"}
