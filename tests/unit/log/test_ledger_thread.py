"""The ledger thread: many writers, one commit, and each its own answer."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from ledger_service.errors import (
    ClockError,
    DiskFullError,
    LedgerError,
    LogError,
    NotSequencedError,
    OutcomeUnknownError,
    OverloadedError,
    StoppedError,
    StorageFatalError,
)
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.proofs.merkle import check_inclusion
from ledger_service.records.intake import Submission
from ledger_service.records.kinds import ParsedRecord
from ledger_service.records.outcomes import Accepted, Rejected, Replayed
from ledger_service.records.tables import records
from ledger_service.storage import failpoints
from tests.support.ledger_threads import WAIT_S, published, running
from tests.support.small_ledger import ORIGIN, SetClock, open_second_log, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.log.tickets import Ticket
    from ledger_service.records.outcomes import Outcome
    from tests.support.small_ledger import SmallLedger


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


class Gate:
    """Holds the next call of a method until the test lets it go."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        """Hold the method from now on."""
        self.entered, self.open = threading.Event(), threading.Event()
        original = getattr(owner, name)

        def held(*args: Any, **kwargs: Any) -> Any:
            self.entered.set()
            assert self.open.wait(WAIT_S)
            return original(*args, **kwargs)

        patch.setattr(owner, name, held)


def first_of(ticket: Ticket) -> Outcome:
    """What became of the first item of a write."""
    outcomes = ticket.wait_accepted(WAIT_S)
    assert outcomes is not None
    return outcomes[0]


def test_write_comes_back_proven(ledger: SmallLedger) -> None:
    """A write is accepted, then published with an index and a proof that checks."""
    with running(ledger) as (thread, _):
        ticket = thread.submit([ledger.submission("a")])
        outcome = first_of(ticket)
        assert isinstance(outcome, Accepted)
        positions = ticket.wait_published(WAIT_S) or {}
        position = positions[outcome.record]
        step = position.step
        check_inclusion(
            outcome.leaf, index=position.index, size=step.size, root=step.root, proof=position.prove()
        )


def test_many_writers_share_commits(ledger: SmallLedger) -> None:
    """A hundred writes from twenty threads get a hundred indexes in far fewer steps."""
    indexes: list[int] = []
    sizes: set[int] = set()

    def write(name: int) -> None:
        for number in range(5):
            ticket = thread.submit([ledger.submission(f"{name}/{number}")])
            for position in (ticket.wait_published(WAIT_S) or {}).values():
                indexes.append(int(position.index))
                sizes.add(position.step.size)

    with running(ledger) as (thread, _):
        writers = [threading.Thread(target=write, args=(name,)) for name in range(20)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert sorted(indexes) == list(range(1, 101))
    assert len(sizes) < 60


def test_repeated_write_waits_with_the_first(
    sqlite_ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated write is published with its record; later it has nothing to wait for."""
    gate = Gate(monkeypatch, type(sqlite_ledger.sequencer), "sequence")
    with running(sqlite_ledger) as (thread, _):
        assert gate.entered.wait(WAIT_S)
        first, second = (thread.submit([sqlite_ledger.submission("a")]) for _ in range(2))
        gate.open.set()
        assert published(first) == published(second) == [1]
        outcome = first_of(second)
        assert isinstance(outcome, Replayed)
        assert published(thread.submit([sqlite_ledger.submission("a")])) == []


def test_refused_items_do_not_wait(sqlite_ledger: SmallLedger) -> None:
    """A write with nothing new is done when it is accepted."""
    with running(sqlite_ledger) as (thread, _):
        published(thread.submit([sqlite_ledger.submission("a")]))
        ticket = thread.submit([sqlite_ledger.submission("a", channel="store")])
        outcome = first_of(ticket)
        assert isinstance(outcome, Rejected)
        assert published(ticket) == []


def test_full_queue_refuses_before_it_accepts(
    sqlite_ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is refused at once and never stored; what was taken is stored in full."""
    gate = Gate(monkeypatch, type(sqlite_ledger.intake), "accept")
    with running(sqlite_ledger, capacity=3) as (thread, _):
        held = thread.submit([sqlite_ledger.submission("held")])
        assert gate.entered.wait(WAIT_S)
        taken = [thread.submit([sqlite_ledger.submission(f"k{i}")]) for i in range(3)]
        with pytest.raises(OverloadedError):
            thread.submit([sqlite_ledger.submission("refused")])
        assert held.wait_accepted(0) is None
        assert held.wait_published(0) is None
        gate.open.set()
        for ticket in (held, *taken):
            published(ticket)
    with sqlite_ledger.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(records)).scalar_one() == 5


def test_a_write_that_was_not_begun_can_be_taken_back(
    sqlite_ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives up waiting is refused for good or was begun; nothing is stored after a refusal."""
    gate = Gate(monkeypatch, type(sqlite_ledger.intake), "accept")
    with running(sqlite_ledger, capacity=2) as (thread, _):
        begun = thread.submit([sqlite_ledger.submission("begun")])
        assert gate.entered.wait(WAIT_S)
        waits = thread.submit([sqlite_ledger.submission("waits") for _ in range(2)])
        thread.withdraw(begun)
        with pytest.raises(OverloadedError):
            thread.withdraw(waits)
        thread.withdraw(waits)
        next_one = thread.submit([sqlite_ledger.submission("next") for _ in range(2)])
        gate.open.set()
        published(begun)
        published(next_one)
        assert waits.wait_accepted(0) is None
    with sqlite_ledger.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(records)).scalar_one() == 3


def test_one_write_may_be_larger_than_the_queue(sqlite_ledger: SmallLedger) -> None:
    """A write larger than the whole queue goes through when nothing else waits."""
    with running(sqlite_ledger, capacity=2) as (thread, _):
        ticket = thread.submit([sqlite_ledger.submission() for _ in range(5)])
        assert len(published(ticket)) == 5
        thread.wait_for_room(timeout_s=0)


def test_fault_reaches_its_own_writer_alone(
    sqlite_ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that makes the whole batch fail hears of it; those that were accepted beside it do not."""
    ledger = sqlite_ledger
    broken = ParsedRecord(private=dict(EXAMPLE_PURCHASE), public={}, subject="\ud800", reference=None)
    gate = Gate(monkeypatch, type(ledger.sequencer), "sequence")
    with running(ledger) as (thread, alarms):
        assert gate.entered.wait(WAIT_S)
        good = [thread.submit([ledger.submission(f"g{i}")]) for i in range(2)]
        bad = thread.submit([Submission(ledger.log.target, PURCHASE, broken)])
        gate.open.set()
        assert sorted(index for ticket in good for index in published(ticket)) == [1, 2]
        with pytest.raises(LogError):
            bad.wait_accepted(WAIT_S)
        with pytest.raises(LogError):
            bad.wait_published(WAIT_S)
    assert len(alarms) == 1


def test_full_disk_is_told_and_passes(sqlite_ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that found no space hears of it, and the next one succeeds when there is space again."""
    ledger = sqlite_ledger
    with running(ledger) as (thread, alarms):
        published(thread.submit([ledger.submission("before")]))
        with monkeypatch.context() as patch:
            patch.setattr(ledger.database, "_reserve", 2**62)
            with pytest.raises(DiskFullError):
                thread.submit([ledger.submission("full")]).wait_accepted(WAIT_S)
        assert published(thread.submit([ledger.submission("after")])) == [2]
    assert [type(alarm) for alarm in alarms] == [DiskFullError]


@pytest.mark.parametrize("action", ["fail", "fail-done"])
def test_unknown_outcome_is_told_as_such(tmp_path: Path, action: str) -> None:
    """A commit of unknown outcome stops the thread; its writers ask again, and asking again tells."""
    with small_ledger(tmp_path) as ledger, running(ledger) as (thread, alarms):
        published(thread.submit([ledger.submission("a")]))
        failpoints.arm(f"records.accept={action}")
        with pytest.raises(OutcomeUnknownError):
            thread.submit([ledger.submission("b")]).wait_accepted(WAIT_S)
        thread.stop()
        assert isinstance(thread.failure, StorageFatalError)
        assert isinstance(alarms[-1], StorageFatalError)
        with pytest.raises(StoppedError):
            thread.submit([ledger.submission("c")])
    with small_ledger(tmp_path) as ledger, running(ledger) as (thread, _):
        ticket = thread.submit([ledger.submission("b")])
        outcome = first_of(ticket)
        assert isinstance(outcome, Accepted if action == "fail" else Replayed)


@pytest.mark.parametrize("point", ["log.assign", "log.sign"])
def test_accepted_records_outlive_a_fault_in_sequencing(tmp_path: Path, point: str) -> None:
    """A write that was accepted is not refused when sequencing fails, and the next start publishes it."""
    with small_ledger(tmp_path) as ledger, running(ledger) as (thread, _):
        published(thread.submit([ledger.submission("a")]))
        failpoints.arm(f"{point}=fail")
        ticket = thread.submit([ledger.submission("b")])
        outcome = first_of(ticket)
        assert isinstance(outcome, Accepted)
        assert ticket.wait_published(WAIT_S) is None
    with small_ledger(tmp_path) as ledger, running(ledger) as (thread, _):
        assert published(thread.submit([ledger.submission("c")])) == [3]
        with ledger.reader.view(ORIGIN) as view:
            assert view.index_of(outcome.record) == 2


def test_clock_that_is_behind_delays_and_loses_nothing(sqlite_ledger: SmallLedger) -> None:
    """While the clock is behind, records are accepted and an alarm is raised; later they are published."""
    clock = sqlite_ledger.clock
    assert isinstance(clock, SetClock)
    raised = threading.Event()
    with running(sqlite_ledger, alarm=lambda _: raised.set()) as (thread, _):
        published(thread.submit([sqlite_ledger.submission("a")]))
        clock.move(-60)
        ticket = thread.submit([sqlite_ledger.submission("b")])
        assert ticket.wait_accepted(WAIT_S)
        assert raised.wait(WAIT_S)
        clock.move(61)
        assert published(ticket) == [2]
    assert thread.failure is None
    assert issubclass(ClockError, LedgerError)


def test_second_ledger_thread_stops_the_first(sqlite_ledger: SmallLedger) -> None:
    """When another sequencer takes the log over, this thread stops and takes nothing more."""
    ledger = sqlite_ledger
    with running(ledger) as (thread, alarms):
        published(thread.submit([ledger.submission("a")]))
        ledger.another_sequencer().heartbeat(ledger.log.id)
        ticket = thread.submit([ledger.submission("b")])
        assert ticket.wait_published(WAIT_S) is None
        thread.stop()
    assert [type(alarm).__name__ for alarm in alarms] == ["FencedError"]


def test_silent_log_is_signed_again(sqlite_ledger: SmallLedger) -> None:
    """A log without new entries gets a fresh signature when its newest is old enough."""
    clock = sqlite_ledger.clock
    assert isinstance(clock, SetClock)
    with running(sqlite_ledger) as (thread, _):
        published(thread.submit([sqlite_ledger.submission("a")]))
        with sqlite_ledger.reader.view(ORIGIN) as view:
            before = view.checkpoint().timestamp
        clock.move(600)
        for _ in range(200):
            with sqlite_ledger.reader.view(ORIGIN) as view:
                if view.checkpoint().timestamp > before:
                    break
            thread.wait_for_room(timeout_s=0.05)
        assert view.checkpoint_at(2).timestamp == before
    with sqlite_ledger.reader.view(ORIGIN) as view:
        assert view.checkpoint().timestamp == before + 600


def test_busy_log_does_not_starve_a_quiet_one(sqlite_ledger: SmallLedger) -> None:
    """While one log takes writes without pause, what another process accepted for a second one is published."""
    ledger = sqlite_ledger
    second = open_second_log(ledger)
    done = threading.Event()

    def keep_writing() -> None:
        while not done.is_set():
            published(thread.submit([ledger.submission()]))

    with running(ledger) as (thread, _):
        writers = [threading.Thread(target=keep_writing) for _ in range(3)]
        for writer in writers:
            writer.start()
        (left,) = ledger.intake.accept([replace(ledger.submission(), target=second.target)])
        assert isinstance(left, Accepted)
        index = None
        for _ in range(600):
            with suppress(NotSequencedError), ledger.reader.view_number(second.id) as view:
                index = view.index_of(left.record)
                break
            thread.wait_for_room(timeout_s=0.05)
        done.set()
        for writer in writers:
            writer.join()
    assert index == 1


def test_stop_finishes_what_was_taken(sqlite_ledger: SmallLedger) -> None:
    """Stopping publishes everything that was submitted before, and refuses everything after."""
    with running(sqlite_ledger) as (thread, _):
        tickets = [thread.submit([sqlite_ledger.submission(f"k{i}")]) for i in range(20)]
        thread.stop()
        assert sorted(index for ticket in tickets for index in published(ticket)) == list(range(1, 21))
        with pytest.raises(StoppedError):
            thread.submit([sqlite_ledger.submission("late")])


def test_backlog_is_drained_at_the_start(tmp_path: Path) -> None:
    """A backlog longer than one step is published in order by the next start."""
    with small_ledger(tmp_path) as ledger:
        for _ in range(3):
            ledger.intake.accept([ledger.submission() for _ in range(2_000)])
    with small_ledger(tmp_path) as ledger, running(ledger) as (thread, _):
        assert published(thread.submit([ledger.submission("last")])) == [6_001]
