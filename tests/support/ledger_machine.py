"""The state machine: what callers and operators do, in any order, with crashes in between.

Each rule does the same to the service (`machine_host.py`) and to the plain model (`plain_model.py`), and the answers
must be equal. After each start and at the end of each example everything that the model knows must be there.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from ledger_service.storage import failpoints
from tests.support.machine_books import Books
from tests.support.machine_host import EVERY_KIND, MachineHost
from tests.support.plain_model import Write
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from tests.support.machine_host import Said, Task, Template

# A row of a stream: what it says, or bytes that are none; and the key of its own that it may have.
Row: TypeAlias = "tuple[Write | bytes, str | None]"

STEPS_OF_ONE_LEDGER = 50
PEOPLE = ("ada", "ben", "cleo")
NUMBERS = ("n1", "n2", "n3", "n4", "n5")
MAIN = ("purchase", "completion", "dataset")
BAD_ROWS = (b"not JSON", b"[]", b'{"order_number": "n1"}', b'{"order_number": 1, "order_number": 2}')
# What a wish is about as a rule; a few are about something else and must be refused.
_ABOUT = {
    "refund": ("purchase",),
    "status": ("completion", "dataset"),
    "correction": MAIN,
    "version": ("dataset",),
}
_POINTING = tuple(_ABOUT)
# A child process that dies costs fifty times as much as a fault, so they are drawn less often.
_FAULTS = ("fail", "fail-done") * 4 + ("kill-before", "kill-after")
_WRITING = ("records.accept", "log.assign", "log.sign")
_ERASING = ("vault.erasure-order", "records.erase")


@dataclass(frozen=True)
class Wish:
    """What somebody draws. Which record it is about is known when it is done."""

    verb: str
    number: str
    subject: str
    amount: int
    pick: int
    state: str
    back_s: int | None


def _wishes(*verbs: str) -> st.SearchStrategy[Wish]:
    return st.builds(
        Wish,
        verb=st.sampled_from(verbs),
        number=st.sampled_from(NUMBERS),
        subject=st.sampled_from(PEOPLE),
        amount=st.integers(1, 3),
        pick=_PICK,
        state=st.sampled_from(["suspended", "active", "revoked", "withdrawn"]),
        back_s=st.none() | st.integers(0, 200),
    )


_PICK = st.integers(0, 40)
_CALM = 6
_SOME = 3
_ASTRAY = 38


class LedgerMachine(RuleBasedStateMachine):
    """One example: a fresh ledger, and whatever happens to it."""

    template: ClassVar[Template]
    tally: ClassVar[Counter[str]]

    def __init__(self) -> None:
        """Copy the template and start."""
        super().__init__()
        self.sent: list[tuple[str, Write]] = []
        self.streams: list[tuple[str, str, list[Row]]] = []
        self.erasures: list[str] = []
        self.keys = 0
        self.calm = 0
        self.clock = SetClock()
        self.environment = self.template.begin()
        self.host = MachineHost(self.environment, self.clock, [])
        self.host.start()
        self.books = Books(self.host)
        self.model = self.books.model

    def teardown(self) -> None:
        """Start once more and look at everything, unless a rule has failed; throw the ledger away."""
        failpoints.disarm()
        try:
            if sys.exc_info()[0] is None:
                self._start_again(each_receipt=True)
        finally:
            self.host.stop()
            self.template.end(self.environment)

    # What callers do.

    @rule(wish=_wishes(*MAIN))
    def record(self, wish: Wish) -> None:
        """Record something new."""
        write = self._write_of(wish)
        self._write(write.verb, self._new_key(), write)

    @rule(wish=_wishes(*_POINTING))
    def point(self, wish: Wish) -> None:
        """Record something about an earlier record; what its kind does not allow is refused."""
        self._write(wish.verb, self._new_key(), self._write_of(wish))

    @precondition(lambda self: self.sent)
    @rule(pick=_PICK, body=st.sampled_from(["same", "other"]))
    def retry(self, pick: int, body: str) -> None:
        """Repeat an earlier write under its key, with its body or with another one."""
        key, write = self.sent[-1 - pick % len(self.sent)]
        if body == "other":
            if write.verb == "status":
                write = replace(write, state="active" if write.state != "active" else "revoked")
            else:
                write = replace(write, amount=write.amount + 1)
        self._write(f"retry, {body} body", key, write)

    @rule(
        verb=st.sampled_from([*MAIN, "refund", "version"]),
        wishes=st.lists(_wishes("any"), min_size=1, max_size=9),
        bad=st.sets(st.integers(0, 8), max_size=3),
        own=st.sets(st.integers(0, 8), max_size=2),
    )
    def bulk(self, verb: str, wishes: list[Wish], bad: set[int], own: set[int]) -> None:
        """Try a stream of rows dry, then send it: some rows are bad, some have keys of their own."""
        stream = self._draw_stream(verb, wishes, bad=bad, own=own)
        self._preview(*stream)
        self._stream("bulk", *stream)

    @precondition(lambda self: self.streams)
    @rule(pick=_PICK)
    def repeat_bulk(self, pick: int) -> None:
        """Send an earlier stream again: nothing is recorded twice."""
        self._stream("bulk again", *self.streams[-1 - pick % len(self.streams)])

    @precondition(lambda self: len(self.model.facts) > _SOME)
    @rule(pick=_PICK, subject=st.sampled_from(PEOPLE))
    def erase(self, pick: int, subject: str) -> None:
        """Erase a person, or ask again under an earlier key, perhaps for somebody else."""
        again = bool(self.erasures) and pick % 3 == 0
        key = self.erasures[-1 - pick % len(self.erasures)] if again else self._new_key()
        self._count("erase again" if again else "erase")
        expected, count = self.books.expect_erasure(key, subject)
        said = self.host.erase(key, subject)
        assert (said.verdict, said.count) == (expected, count), f"{said} instead of {expected}, {count}"
        self.erasures.append(key)

    @rule(
        kinds=st.lists(st.sampled_from(EVERY_KIND), min_size=1, max_size=4, unique=True),
        number=st.none() | st.sampled_from(NUMBERS),
        status=st.none() | st.sampled_from(["active", "suspended", "refunded", "superseded"]),
        page=st.integers(1, 5),
    )
    def find(self, kinds: list[str], number: str | None, status: str | None, page: int) -> None:
        """List by kind, own number and status, in pages of any size."""
        self._count("find")
        self.host.settle()
        found = self.host.listed(kinds=kinds, reference=number, status=status, page=page)
        plain = [kind.partition("/")[0] for kind in kinds]
        expected = self.model.found(plain, number=number, status=status)
        assert [(each.index, each.status) for each in found] == [
            (self.model.index(at), self.model.facts[at].state) for at in expected
        ]
        assert all(self.host.ids[at] in {None, each.id} for at, each in zip(expected, found, strict=True))

    @precondition(lambda self: any(self.host.ids))
    @rule(pick=_PICK, at=_PICK, known_at=_PICK, fields=st.sampled_from(["shown", "hidden"]))
    def judge(self, pick: int, at: int, known_at: int, fields: str) -> None:
        """Fetch evidence and ask for the verdict at a moment, as known at another."""
        self._count("verdict")
        self.host.settle()
        known = [number for number, each in enumerate(self.host.ids) if each is not None]
        number = known[-1 - pick % len(known)]
        fact, record = self.model.facts[number], str(self.host.ids[number])
        own = [moment - timedelta(seconds=s) for _, *both in fact.steps for moment in both for s in (0, 1)]
        moments = [self.clock.now(), *own]
        asked = moments[at % len(moments)], moments[known_at % len(moments)]
        archive = self.host.service.archive
        shown = fields == "shown" and not fact.erased
        if shown:
            evidence = archive.disclosed_evidence(record, names=None, org_id=self.host.org_id)
        else:
            evidence = archive.evidence(record)
        verdict = self.host.service.judge.judge(evidence, at=asked[0], known_at=asked[1])
        assert verdict.result == fact.answer(*asked, shown=shown), f"{verdict} for {fact} at {asked}"

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self._count("wait")
        self.host.settle()
        self.clock.move(seconds)

    # What happens to the service. All is looked at after each start, so starts are kept a few steps apart.

    @precondition(lambda self: self.calm > _CALM and self.model.facts)
    @rule()
    def restart(self) -> None:
        """Stop and start."""
        self._count("restart")
        self._start_again()

    @precondition(lambda self: self.calm > _CALM)
    @rule(wish=_wishes(*MAIN, *_POINTING), step=st.sampled_from(_WRITING), fault=st.sampled_from(_FAULTS))
    def crash_write(self, wish: Wish, step: str, fault: str) -> None:
        """The service dies at a durable step of a write; afterwards the writer asks again."""
        key, write = self._new_key(), self._write_of(wish)
        if wish.pick % 4 == 0 and self.sent:
            key, write = self.sent[-1 - wish.pick % len(self.sent)]
        fell = self._fall(step, fault, partial(MachineHost.write, key=key, write=write))
        expected, number = self.books.expect_write((key, 0), write)
        if expected == "new" and (not fell or step != "records.accept" or _is_done(fault)):
            expected = "again"
        self.books.compare(self.host.write(key, write), expected, number)
        self.sent.append((key, write))
        self.books.check_all()

    @precondition(lambda self: self.calm > _CALM and len(self.model.facts) > _SOME)
    @rule(subject=st.sampled_from(PEOPLE), step=st.sampled_from(_ERASING), fault=st.sampled_from(_FAULTS))
    def crash_erase(self, subject: str, step: str, fault: str) -> None:
        """The service dies while it erases: either nothing was ordered, or the next start finishes it."""
        key = self._new_key()
        fell = self._fall(step, fault, partial(MachineHost.erase, key=key, subject=subject))
        expected, count = self.books.expect_erasure(key, subject)
        if expected == "new" and (not fell or step != "vault.erasure-order" or _is_done(fault)):
            expected = "again"
        said = self.host.erase(key, subject)
        assert (said.verdict, said.count) == (expected, count), f"{said} instead of {expected}, {count}"
        self.erasures.append(key)
        self.host.settle()
        self.books.check_all()

    @precondition(lambda self: self.calm > _CALM)
    @rule(
        verb=st.sampled_from([*MAIN, "refund", "version"]),
        wishes=st.lists(_wishes("any"), min_size=3, max_size=9),
        bad=st.sets(st.integers(0, 8), max_size=3),
        own=st.sets(st.integers(0, 8), max_size=2),
        step=st.sampled_from(_WRITING),
        fault=st.sampled_from(["fail", "fail-done"]),
        nth=st.integers(1, 3),
    )
    def crash_bulk(
        self, *, verb: str, wishes: list[Wish], bad: set[int], own: set[int], step: str, fault: str, nth: int
    ) -> None:
        """The service dies within a stream; sent again, exactly the good rows are there, each once."""
        self._count(f"crash of a stream at {step}")
        key, verb, rows = stream = self._draw_stream(verb, wishes, bad=bad, own=own)
        self.host.settle()
        failpoints.arm(f"{step}={fault}:{nth}")
        first = list(takewhile(_is_answer, self.host.write_rows(key, verb, self._lines(rows))))
        failpoints.disarm()
        self.host.stop()
        self._start()
        again = list(self.host.write_rows(key, verb, self._lines(rows)))
        assert len(again) == len(rows)
        self._compare_halves(stream, first, again)
        self.books.check_all()

    # How.

    def _write_of(self, wish: Wish) -> Write:
        """The wish of this moment. Where there is nothing that it could be about, somebody buys something."""
        verb = "dataset" if wish.verb == "version" else wish.verb
        subject = "" if verb in {"dataset", "refund", "status"} else wish.subject
        write = Write(verb, wish.number, subject, wish.amount)
        if wish.verb not in _ABOUT:
            return write
        astray = wish.pick >= _ASTRAY and wish.verb != "correction"
        usual = _ABOUT[wish.verb]
        about = [
            n
            for n, fact in enumerate(self.model.facts)
            if self.host.ids[n] and (astray or fact.kind in usual)
        ]
        if not about:
            return Write("purchase", wish.number, wish.subject, wish.amount)
        write = replace(write, about=about[-1 - wish.pick % len(about)])
        if verb == "correction" and self.model.facts[write.about or 0].kind == "dataset":
            return replace(write, subject="")
        if verb != "status":
            return write
        since = None if wish.back_s is None else self.clock.now() - timedelta(seconds=wish.back_s)
        return replace(write, number="", amount=0, state=wish.state, since=since)

    def _draw_stream(
        self, verb: str, wishes: Sequence[Wish], *, bad: set[int], own: set[int]
    ) -> tuple[str, str, list[Row]]:
        rows: list[Row] = []
        plain = "dataset" if verb == "version" else verb
        for position, wish in enumerate(wishes):
            write = self._write_of(replace(wish, verb=verb))
            if position in bad or write.verb != plain:
                rows.append((BAD_ROWS[wish.pick % len(BAD_ROWS)], None))
            elif position in own and write.about is None:
                known = [key for key, _ in self.sent] or [self._new_key()]
                rows.append((write, known[-1 - wish.pick % len(known)] if wish.pick % 2 else self._new_key()))
            else:
                rows.append((write, None))
        stream = self._new_key(), plain, rows
        self.streams.append(stream)
        return stream

    def _write(self, name: str, key: str, write: Write) -> None:
        self._count(name)
        expected, number = self.books.expect_write((key, 0), write)
        self.books.compare(self.host.write(key, write), expected, number)
        self.sent.append((key, write))

    def _stream(self, name: str, key: str, verb: str, rows: list[Row]) -> None:
        self._count(name)
        answers = list(self.host.write_rows(key, verb, self._lines(rows)))
        for line, ((row, own), said) in enumerate(zip(rows, answers, strict=True), start=1):
            if isinstance(row, bytes):
                assert not _is_kept(said), said
            else:
                place = (key, line) if own is None else (own, 0)
                self.books.compare(said, *self.books.expect_write(place, row))

    def _preview(self, key: str, verb: str, rows: list[Row]) -> None:
        """A dry run says what would become of rows; each transaction's rows are looked at by themselves."""
        first, model = rows[:4], copy.deepcopy(self.model)
        for line, ((row, own), said) in enumerate(
            zip(first, self.host.write_rows(key, verb, self._lines(first), dry=True), strict=True), start=1
        ):
            if isinstance(row, bytes):
                assert not _is_kept(said), said
            else:
                place = (key, line) if own is None else (own, 0)
                assert said.verdict == model.write(place, row, self.clock.now())[0]

    def _compare_halves(
        self, stream: tuple[str, str, list[Row]], first: Sequence[Said], again: Sequence[Said]
    ) -> None:
        """What was answered before the crash holds; of the rest, what was stored comes before what was not."""
        key, _, rows = stream
        stored = True
        for line, ((row, own), said) in enumerate(zip(rows, again, strict=True), start=1):
            if isinstance(row, bytes):
                assert not _is_kept(said), said
                continue
            place = (key, line) if own is None else (own, 0)
            expected, number = self.books.expect_write(place, row)
            answered = first[line - 1] if line <= len(first) else None
            assert answered is None or answered.verdict == expected
            assert _is_kept(said) == (expected in {"new", "again"}), f"{said} instead of {expected}"
            if expected == "new":
                assert stored or said.verdict == "new", "a later row was stored, an earlier one was not"
                stored = said.verdict == "again"
                assert answered is None or (stored and answered.id == said.id)
            self.books.note(said, number)

    def _fall(self, step: str, fault: str, task: Task) -> bool:
        """Let the service do the task and die at a step; start it again; return whether it came that far."""
        self._count(f"{'kill' if fault.startswith('kill') else 'crash'} at {step}")
        self.host.settle()
        if fault.startswith("kill"):
            fell = self.host.kill(f"{step}={fault}", task)
        else:
            failpoints.arm(f"{step}={fault}")
            task(self.host)
            fell = failpoints._armed[step].left == 0
            failpoints.disarm()
            self.host.stop()
        self._start()
        return fell

    def _start_again(self, *, each_receipt: bool = False) -> None:
        self.host.settle()
        self.host.stop()
        self._start()
        self.books.check_all(each_receipt=each_receipt)

    def _start(self) -> None:
        self.host.start()
        self.calm = 0

    def _count(self, name: str) -> None:
        self.tally[name] += 1
        self.calm += 1

    def _lines(self, rows: Sequence[Row]) -> list[bytes]:
        return [row if isinstance(row, bytes) else self.host.row(row, own) for row, own in rows]

    def _new_key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"


def run_machine(template: Template, *, steps: int, seed_number: int, tally: Counter[str]) -> None:
    """Run ledgers until there were `steps` steps, and count in `tally` how often each thing was done.

    Raises the AssertionError of a ledger that broke a promise, with its steps in a note.
    """
    machine = type("LedgerMachine", (LedgerMachine,), {"template": template, "tally": tally})
    wanted = tally.total() + steps
    # A ledger may end early, and hypothesis begins each run with its simplest one: a few more make up for it.
    while tally.total() < wanted:
        chosen = settings(
            max_examples=-(-(wanted - tally.total()) // STEPS_OF_ONE_LEDGER),
            stateful_step_count=STEPS_OF_ONE_LEDGER,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        # The service tells its log of each fault that it meets.
        with capture_logs():
            run_state_machine_as_test(seed(f"{seed_number}/{tally.total()}")(machine), settings=chosen)


def _is_done(fault: str) -> bool:
    return fault in {"fail-done", "kill-after"}


def _is_kept(said: Said) -> bool:
    return said.verdict in {"new", "again"}


def _is_answer(said: Said) -> bool:
    return said.verdict not in {"outcome_unknown", "stopped"}
