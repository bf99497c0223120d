"""The lease: one process at a time, and never for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from ledger_service.log.lease import Holder, SequencerLease, this_process
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from tests.support.small_ledger import SmallLedger

LASTS_S = 9.0
ELSEWHERE = Holder("elsewhere", 1, "a")


def lease(ledger: SmallLedger, holder: Holder) -> SequencerLease:
    """That holder's side of the lease."""
    return SequencerLease(ledger.database, clock=ledger.clock, holder=holder, lasts_s=LASTS_S)


def finished_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_holds_it_and_the_other_waits(ledger: SmallLedger) -> None:
    """While one process renews its lease, another one does not get it."""
    assert isinstance(ledger.clock, SetClock)
    first, second = lease(ledger, ELSEWHERE), lease(ledger, Holder("nearby", 1, "b"))
    assert first.hold()
    assert not second.hold()
    ledger.clock.move(LASTS_S - 1)
    assert not second.hold()
    assert first.held
    assert not second.held


def test_silent_holder_loses_it(ledger: SmallLedger) -> None:
    """When nothing was heard of the holder for as long as the lease lasts, another takes it, and keeps it."""
    assert isinstance(ledger.clock, SetClock)
    first, second = lease(ledger, ELSEWHERE), lease(ledger, Holder("nearby", 1, "b"))
    assert first.hold()
    ledger.clock.move(LASTS_S)
    assert second.hold()
    first.lose()
    assert not first.hold()


def test_given_back_it_is_free_at_once(ledger: SmallLedger) -> None:
    """A process that ends lets the next one begin without waiting."""
    first, second = lease(ledger, ELSEWHERE), lease(ledger, Holder("nearby", 1, "b"))
    assert first.hold()
    first.release()
    assert not first.held
    assert second.hold()
    # Giving back what is another's by now changes nothing.
    first.release()
    assert not lease(ledger, ELSEWHERE).hold()


def test_dead_process_of_this_host_does_not_hold_it(ledger: SmallLedger) -> None:
    """After a crash the next process on the same host need not wait; one that still runs is waited for."""
    here = this_process()
    assert here.pid == os.getpid()
    dead = Holder(here.host, finished_process(), "dead")
    assert lease(ledger, dead).hold()
    assert lease(ledger, here).hold()
    assert not lease(ledger, Holder(here.host, here.pid, "another")).hold()


def test_lease_from_the_far_future_is_not_believed(ledger: SmallLedger) -> None:
    """A clock that was wrong by a day does not keep everybody else out for a day."""
    assert isinstance(ledger.clock, SetClock)
    ledger.clock.move(86_400)
    assert lease(ledger, ELSEWHERE).hold()
    ledger.clock.move(-86_400)
    assert lease(ledger, Holder("nearby", 1, "b")).hold()


def test_of_many_at_once_one_gets_it(ledger: SmallLedger) -> None:
    """When it becomes free and all ask at the same moment, exactly one has it."""
    sides = [lease(ledger, Holder("nearby", 1, str(number))) for number in range(6)]
    barrier = threading.Barrier(len(sides))
    got: list[bool] = []

    def ask(side: SequencerLease) -> None:
        barrier.wait()
        got.append(side.hold())

    threads = [threading.Thread(target=ask, args=(side,)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 5 + [True]
