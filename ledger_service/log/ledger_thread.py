"""The one thread that writes: it accepts what waits in one transaction, sequences it, and wakes the writers.

Many writers share each commit, so durability costs one of them little more than it costs all. Nothing is
refused after it was accepted: the queue is bounded before that, and a write that finds it full gets
OverloadedError.

Of several processes on one database, each accepts what its own writers bring, and the one with the lease
sequences for all; the others look for what it has published.

Started after a fork, in the process that serves. What it cannot know after a fault it does not guess: a
commit of unknown outcome stops it, its writers hear OutcomeUnknownError, and a new start reads from the
database what is true.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from ledger_service.errors import (
    CorruptLogError,
    FencedError,
    LedgerError,
    LogError,
    OutcomeUnknownError,
    OverloadedError,
    StoppedError,
    StorageError,
    StorageFatalError,
)
from ledger_service.log.following import find_published
from ledger_service.log.sequencer import MOST_ENTRIES
from ledger_service.log.tickets import Position, Ticket
from ledger_service.proofs.types import LeafIndex
from ledger_service.records.outcomes import Accepted, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger_service.log.lease import SequencerLease
    from ledger_service.log.sequencer import Sequenced, Sequencer
    from ledger_service.records.intake import Intake, Submission
    from ledger_service.records.outcomes import Outcome
    from ledger_service.records.preparation import Prepared

CAPACITY: Final = 20_000
"""Records that may wait at a time."""
POLL_S: Final = 0.25
"""How often an idle thread looks for what was left behind; a busy one does every `LOOK_S`."""
LOOK_S: Final = 1.0
FOLLOW_S: Final = 0.02
"""How often a thread without the lease looks for what its writers wait for."""
_FATAL: Final = (StorageFatalError, FencedError, CorruptLogError)


class LedgerThread:
    """Accepts and sequences what any number of threads submit."""

    def __init__(
        self,
        intake: Intake,
        sequencer: Sequencer,
        *,
        heartbeat_s: float,
        alarm: Callable[[LedgerError], None],
        lease: SequencerLease | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        """Hold what it works with; `start` begins. `alarm` hears of each fault of the thread and never raises.

        Without `lease` nobody else sequences these logs, and whoever does stops this thread.
        """
        self._intake = intake
        self._sequencer = sequencer
        self._heartbeat_s = heartbeat_s
        self._alarm = alarm
        self._lease = lease
        self._capacity = capacity
        self._queue: deque[Ticket] = deque()
        self._queued = 0
        self._wake = threading.Condition()
        self._room = threading.Condition()
        self._stopping = False
        self._failure: LedgerError | None = None
        # Writers to wake, by the number of the record that they wait for.
        self._pending: dict[int, list[Ticket]] = {}
        # Those that waited at the last look already: another process may have sequenced them.
        self._overdue: set[int] = set()
        self._thread: threading.Thread | None = None

    @property
    def failure(self) -> LedgerError | None:
        """What has stopped the thread for good, or None."""
        return self._failure

    @property
    def leads(self) -> bool:
        """Whether this process sequences, rather than another one with the lease."""
        return self._lease is None or self._lease.held

    def start(self) -> None:
        """Begin: first what a crash left behind, then what is submitted."""
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Take nothing more, finish what was taken, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def submit(self, items: Sequence[Submission | Prepared]) -> Ticket:
        """Queue a write. Raises OverloadedError or StoppedError: then nothing was or will be stored."""
        ticket = Ticket(items)
        with self._wake:
            if self._stopping or self._failure is not None or self._thread is None:
                raise StoppedError
            if self._queued and self._queued + len(items) > self._capacity:
                raise OverloadedError(waiting=self._queued)
            self._queue.append(ticket)
            self._queued += len(items)
            self._wake.notify()
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Take back a write that was not begun: raises OverloadedError, and nothing was or will be stored.

        Returns when it was begun: then its ticket tells, or nobody knows.
        """
        with self._wake:
            if ticket not in self._queue:
                return
            self._queue.remove(ticket)
            self._queued -= len(ticket.items)
            waiting = self._queued
        raise OverloadedError(waiting=waiting)

    def wait_for_room(self, *, timeout_s: float = POLL_S) -> None:
        """Return when something has left the queue, or after the time given."""
        with self._room:
            self._room.wait(timeout_s)

    def _run(self) -> None:
        try:
            self._work()
            self._end(None)
        except LedgerError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody may wait for a thread that is gone
            self._end(LogError("The ledger thread has a defect.", cause=repr(error)[:200]))

    def _work(self) -> None:
        busy: set[int] = set()  # logs in which something may be left to do
        look_at = 0.0
        while True:
            leads = self._lease is None or self._attempt(self._lease.hold)
            tickets = self._take(wait_s=self._pause_s(leads=leads, busy=bool(busy) or not look_at))
            if tickets:
                busy |= self._accept(tickets)
            elif self._stopping and not busy:
                return
            if not leads:
                busy = set()
                self._attempt(partial(self._follow, set(self._pending)))
                continue
            # When idle, and once a second however much is coming in: what a crash or a fault left behind, what other
            # processes accepted, and logs that have been silent for too long.
            if not (tickets or busy) or time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_S
                self._attempt(self._sign_again)
                self._attempt(partial(self._find_work, busy))
                self._attempt(self._follow_overdue)
            busy = {log_id for log_id in sorted(busy) if self._attempt(partial(self._sequence, log_id))}

    def _pause_s(self, *, leads: bool, busy: bool) -> float:
        if leads:
            return 0.0 if busy else POLL_S
        return FOLLOW_S if self._pending else POLL_S

    def _attempt(self, work: Callable[[], bool | None]) -> bool:
        """Do the work; a fault that may pass is reported, and met again on the next look. Fatal ones are raised."""
        try:
            return bool(work())
        except FencedError as error:
            if self._lease is None:
                raise
            # We were stopped for longer than the lease lasts, and another process has taken over.
            self._lease.lose()
            self._sequencer.forget()
            self._alarm(error)
            return False
        except _FATAL:
            raise
        except LedgerError as error:
            # A busy database, a full disk, a clock that stepped back: what was accepted waits in the outbox.
            self._alarm(error)
            return False

    def _take(self, *, wait_s: float) -> list[Ticket]:
        """Whatever waits, up to what fits into one transaction; at least one write, however large."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(wait_s)
            taken: list[Ticket] = []
            room = MOST_ENTRIES
            while self._queue and (not taken or len(self._queue[0].items) <= room):
                taken.append(self._queue.popleft())
                room -= len(taken[-1].items)
            self._queued -= sum(len(ticket.items) for ticket in taken)
        with self._room:
            self._room.notify_all()
        return taken

    def _accept(self, tickets: Sequence[Ticket]) -> set[int]:
        """Make these writes durable, tell their writers, and return the logs that have to grow."""
        try:
            outcomes = iter(self._intake.accept([item for ticket in tickets for item in ticket.items]))
        except StorageFatalError as error:
            for ticket in tickets:
                ticket.fail(OutcomeUnknownError(cause=error.code))
            raise
        except StorageError as error:
            for ticket in tickets:
                ticket.fail(error)
            self._alarm(error)
            return set()
        except Exception as error:  # noqa: BLE001  one writer's fault must not become another's
            if len(tickets) > 1:
                return set().union(*[self._accept([ticket]) for ticket in tickets])
            fault = error if isinstance(error, LedgerError) else LogError(cause=repr(error)[:200])
            tickets[0].fail(fault)
            self._alarm(fault)
            return set()
        return set().union(
            *[self._tell(ticket, [next(outcomes) for _ in ticket.items]) for ticket in tickets]
        )

    def _tell(self, ticket: Ticket, outcomes: list[Outcome]) -> set[int]:
        touched: set[int] = set()
        waiting = 0
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                touched.add(outcome.log_id)
                self._pending[outcome.record] = []
            # A replayed record may be on its way as well: then its second writer waits like the first.
            if not isinstance(outcome, Rejected) and outcome.record in self._pending:
                self._pending[outcome.record].append(ticket)
                waiting += 1
        ticket.accept(outcomes, waiting=waiting)
        return touched

    def _sequence(self, log_id: int) -> bool:
        """Take one step in a log, and return whether there may be more to do."""
        step = self._sequencer.sequence(log_id)
        if step is None:
            return False
        self._publish(step)
        # A step without records finished a heartbeat that a crash had interrupted; a full one may have
        # left some.
        return len(step.records) in {0, MOST_ENTRIES}

    def _publish(self, step: Sequenced) -> None:
        for index, record in enumerate(step.records, step.first):
            for ticket in self._pending.pop(record, ()):
                ticket.publish(record, Position(LeafIndex(index), step))

    def _follow(self, records: set[int]) -> None:
        """Tell the writers of these records where another process has put them."""
        if records:
            for record, position in find_published(self._sequencer.database, records).items():
                for ticket in self._pending.pop(record, ()):
                    ticket.publish(record, position)

    def _follow_overdue(self) -> None:
        # What we sequence ourselves is published at once; what waits from look to look, another one had begun.
        self._follow(self._overdue & self._pending.keys())
        self._overdue = set(self._pending)

    def _sign_again(self) -> None:
        """Sign the logs whose newest signature is old."""
        for log_id in self._sequencer.overdue(self._heartbeat_s):
            step = self._sequencer.heartbeat(log_id)
            if step is not None:
                self._publish(step)

    def _find_work(self, busy: set[int]) -> None:
        busy |= self._sequencer.unfinished()

    def _end(self, failure: LedgerError | None) -> None:
        """Take nothing more, leave nobody waiting, then let the lease go and tell why."""
        with self._wake:
            self._failure = failure
            self._stopping = True
            left, self._queue, self._queued = list(self._queue), deque(), 0
        for ticket in left:
            ticket.fail(StoppedError())
        for tickets in self._pending.values():
            for ticket in tickets:
                ticket.abandon()
        try:
            if self._lease is not None:
                with suppress(LedgerError):
                    self._lease.release()
        finally:
            if failure is not None:
                self._alarm(failure)
