"""The keeper: nothing is signed before the database was compared, and trouble with the chain stops nothing else."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from ledger_service.chain.anchorer import StepSummary
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.source import LogHead
from ledger_service.errors import (
    ChainReplacedError,
    ChainUnavailableError,
    LedgerError,
    NotReadyError,
    RollbackDetectedError,
    StorageFatalError,
)
from ledger_service.wiring.keeper import Keeper
from tests.support.http_ledger import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger_service.chain.anchorer import Anchorer
    from ledger_service.log.ledger_thread import LedgerThread

QUIET = StepSummary(head_number=1, planned=0, waiting=0, anchored=0, finished=0, lost=0, rolled_back=())


@dataclass
class Script:
    """What the keeper's parts do, and what was done to them: a comparison, a step, a ledger thread, an end."""

    guard: HighWaterGuard
    compared: LedgerError | None = None
    stepped: LedgerError | StepSummary = QUIET
    failure: LedgerError | None = None
    began: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    leads: bool = True
    steps: int = 0
    ended: list[LedgerError] = field(default_factory=list)

    def start(self) -> None:
        """The ledger thread begins."""
        self.began.set()

    def stop(self) -> None:
        """The ledger thread ends."""
        self.stopped.set()

    def step(self) -> StepSummary:
        """The anchorer looks once."""
        self.steps += 1
        if isinstance(self.stepped, LedgerError):
            raise self.stepped
        return self.stepped

    def compare(self) -> None:
        """The database is compared with guard and chain."""
        if self.compared is not None:
            raise self.compared


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Nothing was ever signed, and all is well."""
    return Script(HighWaterGuard(tmp_path / "guard.json"))


@pytest.fixture
def start(script: Script) -> Iterator[Callable[[], Keeper]]:
    """Start a keeper on the script; it is stopped at the end."""
    started: list[Keeper] = []

    def begin() -> Keeper:
        keeper = Keeper(
            cast("LedgerThread", script),
            cast("Anchorer", script),
            compare=script.compare,
            guard=script.guard,
            poll_s=0.01,
            on_fatal=script.ended.append,
        )
        keeper.start()
        started.append(keeper)
        return keeper

    yield begin
    for keeper in started:
        keeper.stop()


def remember(script: Script) -> None:
    """Let the guard file know of a log."""
    script.guard.record([LogHead(1, "ledger.test/logs/a/b", "c", 7, bytes(32))], contracts=())


def looked(script: Script, times: int) -> None:
    """Return when the anchorer has looked so often."""
    until(lambda: True if script.steps >= times else None)


def test_signing_begins_after_a_comparison_that_showed_nothing(
    script: Script, start: Callable[[], Keeper]
) -> None:
    """Then writes are taken, and the chain is looked at again and again."""
    keeper = start()
    looked(script, 3)
    assert script.began.is_set()
    keeper.check_writable()
    assert (keeper.refusal, keeper.chain_trouble, keeper.summary) == (None, None, QUIET)


def test_without_a_comparison_nothing_is_signed(script: Script, start: Callable[[], Keeper]) -> None:
    """A chain that does not answer and no guard file: writes wait, with the reason; then they are taken."""
    script.compared = ChainUnavailableError()
    keeper = start()
    until(lambda: keeper.chain_trouble)
    assert not script.began.is_set()
    with pytest.raises(NotReadyError, match="node does not answer"):
        keeper.check_writable()
    script.compared = None
    assert script.began.wait(10)
    until(lambda: True if keeper.refusal is None else None)


@pytest.mark.parametrize(
    "trouble", [ChainUnavailableError(), ChainReplacedError()], ids=lambda each: each.code
)
def test_a_guard_file_that_agrees_is_enough_to_begin(
    script: Script, start: Callable[[], Keeper], trouble: LedgerError
) -> None:
    """Logging does not wait for a chain that is down or was replaced, and the trouble is shown."""
    remember(script)
    script.compared = trouble
    keeper = start()
    assert script.began.wait(10)
    until(lambda: keeper.chain_trouble)
    assert keeper.refusal is None
    assert script.steps == 0


def test_a_rollback_found_later_stops_the_signing(script: Script, start: Callable[[], Keeper]) -> None:
    """What the guard file could not tell, the chain tells when it answers again: then nothing more is signed."""
    remember(script)
    script.compared = ChainUnavailableError()
    keeper = start()
    assert script.began.wait(10)
    script.compared = RollbackDetectedError()
    assert script.stopped.wait(10)
    with pytest.raises(RollbackDetectedError):
        keeper.check_writable()


def test_a_rollback_seen_while_anchoring_stops_the_signing(
    script: Script, start: Callable[[], Keeper]
) -> None:
    """The anchorer's own look may find it first."""
    script.stepped = StepSummary(1, 0, 0, 0, 0, 0, (RollbackDetectedError(),))
    keeper = start()
    assert script.stopped.wait(10)
    assert keeper.refusal is not None
    assert keeper.refusal.code == "rollback_detected"


def test_an_older_database_never_begins(script: Script, start: Callable[[], Keeper]) -> None:
    """A comparison that shows a rollback refuses every write and leaves the ledger thread alone."""
    script.compared = RollbackDetectedError()
    keeper = start()
    until(lambda: True if isinstance(keeper.refusal, RollbackDetectedError) else None)
    assert not script.began.is_set()
    assert script.steps == 0


def test_trouble_with_the_chain_passes(script: Script, start: Callable[[], Keeper]) -> None:
    """A step that fails is tried again, writes go on meanwhile, and the note goes when it succeeds."""
    script.stepped = ChainUnavailableError()
    keeper = start()
    looked(script, 3)
    assert keeper.chain_trouble is not None
    keeper.check_writable()
    script.stepped = QUIET
    until(lambda: True if keeper.chain_trouble is None else None)


def test_a_defect_does_not_end_the_anchoring(script: Script, start: Callable[[], Keeper]) -> None:
    """An error nobody thought of is noted, and the next look is made."""
    script.stepped = cast("StepSummary", None)
    keeper = start()
    looked(script, 3)
    assert keeper.chain_trouble is not None
    assert keeper.refusal is None


def test_a_storage_failure_ends_the_process(script: Script, start: Callable[[], Keeper]) -> None:
    """What cannot be known without a clean start is handed to whoever ends the process."""
    script.stepped = StorageFatalError()
    start()
    until(lambda: script.ended or None)
    assert [error.code for error in script.ended] == ["storage_failed"]


def test_what_stopped_the_ledger_thread_keeps_writes_out(script: Script, start: Callable[[], Keeper]) -> None:
    """A ledger thread that ended by itself is the reason that writers get."""
    keeper = start()
    looked(script, 1)
    script.failure = StorageFatalError()
    with pytest.raises(StorageFatalError):
        keeper.check_writable()


def test_only_the_process_that_sequences_anchors(script: Script, start: Callable[[], Keeper]) -> None:
    """While another process has the lease, the anchorer does nothing; it begins when the lease is ours."""
    script.leads = False
    keeper = start()
    assert script.began.wait(10)
    keeper.check_writable()
    assert script.steps == 0
    script.leads = True
    looked(script, 2)
