"""One crash of a writing process at a named failpoint, and what must hold after the next start.

    python -m tests.support.crash_runs DIRECTORY DATABASE-URL JOURNAL CRASH

writes purchases through a ledger thread until it dies or is done, and appends to JOURNAL what it was told:
one JSON line for each answer, synced before the next write is sent. `run_crash` starts it, lets it crash,
starts the ledger again and holds everything that was said against what is there.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger_service.errors import LedgerError, OutcomeUnknownError
from ledger_service.log.auditor import audit
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.history import find_record
from ledger_service.records.outcomes import Accepted, Rejected
from ledger_service.storage import failpoints
from tests.support.processes import ChildProcess
from tests.support.small_ledger import ORIGIN, SmallLedger, small_ledger

POINTS = ("records.accept", "log.assign", "log.sign")
WRITES = 24
_WAIT_S = 30.0


@dataclass(frozen=True)
class CrashRun:
    """What one run showed: how the process ended, and how many writes it had been told of."""

    status: int
    accepted: int
    published: int
    recovered_size: int


def write_all(directory: Path, url: str, journal: Path, *, crash: str = "") -> None:
    """Write purchases one after the other, each under its own key, and keep a journal of the answers."""
    with small_ledger(directory, url=url) as ledger, journal.open("a") as answers:
        failpoints.arm(crash)
        thread = LedgerThread(ledger.intake, ledger.sequencer, heartbeat_s=600, alarm=lambda _: None)
        thread.start()
        try:
            for number in range(WRITES):
                _write_one(ledger, thread, number, answers)
        finally:
            thread.stop()


def _write_one(ledger: SmallLedger, thread: LedgerThread, number: int, answers: Any) -> None:
    def tell(**said: Any) -> None:
        answers.write(json.dumps({"key": number, **said}) + "\n")
        answers.flush()
        os.fsync(answers.fileno())

    tell(said="sent")
    ticket = thread.submit([ledger.submission(f"key-{number}", order_number=f"n{number}")])
    (outcome,) = ticket.wait_accepted(_WAIT_S) or (None,)
    assert outcome is not None
    assert not isinstance(outcome, Rejected)
    tell(said="accepted", id=outcome.id, leaf=outcome.leaf.hex() if isinstance(outcome, Accepted) else None)
    positions = ticket.wait_published(_WAIT_S)
    if positions is None:
        raise SystemExit(3)
    for position in positions.values():
        step = position.step
        tell(said="published", id=outcome.id, index=position.index, size=step.size, root=step.root.hex())


def run_crash(directory: Path, *, url: str, crash: str) -> CrashRun:
    """Crash a writer at `crash` ("log.sign=kill-after:3"), start again, and check every promise."""
    journal = directory / "journal"
    journal.touch()
    status = _run_writer(directory, url, journal, crash=crash)
    told = [json.loads(line) for line in journal.read_text().splitlines()]
    with small_ledger(directory, url=url) as ledger:
        before = _signed(ledger)
        while ledger.sequencer.unfinished():
            ledger.sequencer.sequence(ledger.log.id)
        _check_promises(ledger, told, before)
    # The same writer again, without a crash: every key that was used gives its first answer.
    write_all(directory, url, journal)
    told = [json.loads(line) for line in journal.read_text().splitlines()]
    with small_ledger(directory, url=url) as ledger:
        _check_promises(ledger, told, before)
        with ledger.reader.view(ORIGIN) as view:
            size = view.size
        assert size == WRITES + 1, f"{size} entries from {WRITES} keys"
    by = [each["said"] for each in told]
    return CrashRun(status, by.count("accepted"), by.count("published"), size)


def _run_writer(directory: Path, url: str, journal: Path, *, crash: str) -> int:
    command = [sys.executable, "-m", "tests.support.crash_runs", str(directory), url, str(journal), crash]
    with ChildProcess.start(command) as child:
        return child.wait(timeout_s=120)


def _signed(ledger: SmallLedger) -> dict[int, str]:
    """The roots of all checkpoints that are stored, by size."""
    with ledger.reader.view(ORIGIN) as view:
        return {size: view.root_at(size).hex() for size in range(1, view.size + 1)}


def _check_promises(ledger: SmallLedger, told: list[dict[str, Any]], before: dict[int, str]) -> None:
    """No acknowledged record is lost or doubled, no index or root has changed, the auditor is content."""
    report = audit(ledger.database, keyring=ledger.keyring, kinds=[PURCHASE])
    assert report.clean, report.findings
    ids: dict[int, str] = {}
    with ledger.database.read() as conn, ledger.reader.view(ORIGIN) as view:
        for size, root in before.items():
            assert view.root_at(size).hex() == root, f"another root at size {size}"
        for each in told:
            if each["said"] == "sent":
                continue
            assert ids.setdefault(each["key"], each["id"]) == each["id"], "one key, two records"
            index = view.index_of(find_record(conn, each["id"]).record)
            assert parse_entry(view.entry(index)).claim.id == each["id"]
            if each["said"] == "published":
                assert (index, view.root_at(each["size"]).hex()) == (each["index"], each["root"])
    assert len(set(ids.values())) == len(ids)


if __name__ == "__main__":
    try:
        write_all(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), crash=sys.argv[4])
    except OutcomeUnknownError:
        raise SystemExit(4) from None
    except LedgerError:
        raise SystemExit(5) from None
