"""Several processes that sequence one log, stopped and killed at random, and what must hold all the same.

Each process accepts writes of its own under a lease, as `audit-ledger serve` does, and notes every root that it
signs before anybody can see the signature. The parent sends SIGSTOP, SIGCONT and SIGKILL. Afterwards no size may
have two signed roots, whoever signed them and whether or not they were published.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ledger_service.errors import FencedError, LedgerError
from ledger_service.log.auditor import audit
from ledger_service.log.lease import SequencerLease, this_process
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.log.sequencer import Sequencer
from ledger_service.log.tables import checkpoints, sequencer_lease
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.history import find_record
from ledger_service.records.outcomes import Rejected
from tests.support.processes import die_with_parent
from tests.support.small_ledger import ORIGIN, signers_in, small_ledger

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from random import Random
    from typing import IO

    from ledger_service.log.signers import CheckpointSigner
    from ledger_service.proofs.checkpoint import Checkpoint
    from ledger_service.proofs.note import Signature
    from tests.support.small_ledger import SmallLedger

LEASE_S = 0.6
_ANSWER_S = 0.5
# Liveness only: however busy the machine is, a batch takes far less.
_DEADLINE_S = 120.0
_DEADLINE_PER_BATCH_S = 3.0


@dataclass
class FleetRun:
    """What happened, and every promise that was broken."""

    signals: Counter[str] = field(default_factory=Counter)
    checkpoints: int = 0
    acknowledged: int = 0
    signatures: int = 0
    fenced: int = 0
    leaders: int = 0
    longest_stall_s: float = 0.0
    broken: list[str] = field(default_factory=list)


class _NotingSigner:
    """A signer that writes down what it signs, durably enough for a process that is killed, before it answers."""

    def __init__(self, signer: CheckpointSigner, journal: IO[str]) -> None:
        self._signer = signer
        self._journal = journal
        self.vkey = signer.vkey

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:
        """Note, then sign."""
        said = {"said": "signed", "size": checkpoint.size, "root": checkpoint.root.hex(), "pid": os.getpid()}
        _write(self._journal, said)
        return self._signer.sign(checkpoint, timestamp)


def sequence_and_write(directory: str, url: str, number: int, life: int) -> None:
    """One process: write purchases one after the other until SIGTERM, and sequence while the lease is ours."""
    die_with_parent()()
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    with (
        (Path(directory) / f"process-{number}").open("a") as journal,
        small_ledger(Path(directory), url=url) as ledger,
    ):
        first, *others = signers_in(Path(directory))(ORIGIN)
        signers = (_NotingSigner(first, journal), *others)
        sequencer = Sequencer(ledger.database, signers_of=lambda _origin, _era: signers, clock=ledger.clock)
        lease = SequencerLease(ledger.database, clock=ledger.clock, holder=this_process(), lasts_s=LEASE_S)

        def alarm(error: LedgerError) -> None:
            _write(journal, {"said": "alarm", "code": error.code})

        thread = LedgerThread(ledger.intake, sequencer, heartbeat_s=600, alarm=alarm, lease=lease)
        thread.start()
        write = 0
        while not ending and thread.failure is None:
            write += 1
            _write_one(ledger, thread, f"{number}-{life}-{write}", journal)
        thread.stop()


def _write_one(ledger: SmallLedger, thread: LedgerThread, key: str, journal: IO[str]) -> None:
    with suppress(LedgerError):
        ticket = thread.submit([ledger.submission(key, order_number=key)])
        (outcome,) = ticket.wait_accepted(_ANSWER_S) or (None,)
        if outcome is None or isinstance(outcome, Rejected):
            return
        _write(journal, {"said": "accepted", "id": outcome.id})
        positions = ticket.wait_published(_ANSWER_S) or {}
        for position in positions.values():
            step = position.step
            _write(
                journal,
                {
                    "said": "published", "id": outcome.id, "index": position.index, "size": step.size,
                    "root": step.root.hex(), "leads": thread.leads,
                },
            )  # fmt: skip


def _write(journal: IO[str], said: dict[str, Any]) -> None:
    journal.write(json.dumps(said) + "\n")
    journal.flush()


def run_fleet(directory: Path, url: str, rng: Random, *, batches: int, processes: int = 4) -> FleetRun:
    """Let `processes` sequence until the log has `batches` checkpoints, with a signal for every second, and judge."""
    run = FleetRun()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.sequencer_fleet"])
    with small_ledger(directory, url=url) as ledger:
        lives = Counter[int]()

        def start(number: int) -> ForkServerProcess:
            lives[number] += 1
            process = context.Process(
                target=sequence_and_write, args=(str(directory), url, number, lives[number])
            )
            process.start()
            return process

        fleet = [start(number) for number in range(processes)]
        try:
            _disturb(ledger, fleet, start, rng, run, batches=batches)
        finally:
            for process in fleet:
                with suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGCONT)
                process.terminate()
            for process in fleet:
                process.join(30)
                process.kill()
        while ledger.sequencer.unfinished():
            ledger.sequencer.sequence(ledger.log.id)
        _judge(ledger, directory, run)
    return run


def _disturb(
    ledger: SmallLedger, fleet: list[Any], start: Any, rng: Random, run: FleetRun, *, batches: int
) -> None:
    stopped: dict[int, float] = {}
    limit_s = _DEADLINE_S + _DEADLINE_PER_BATCH_S * batches
    grew_at, size, deadline = time.monotonic(), 0, time.monotonic() + limit_s
    # An idle machine makes batches so fast that few would be disturbed.
    while (run.checkpoints < batches or run.signals.total() < batches // 2) and time.monotonic() < deadline:
        time.sleep(rng.uniform(0.02, 0.25))
        now = time.monotonic()
        for number, until in list(stopped.items()):
            if now >= until:
                os.kill(fleet[number].pid, signal.SIGCONT)
                del stopped[number]
        number, draw = _choose(ledger, fleet, rng), rng.random()
        if draw < 0.2:
            fleet[number].kill()
            fleet[number].join()
            stopped.pop(number, None)
            fleet[number] = start(number)
            run.signals["SIGKILL"] += 1
        elif draw < 0.6 and number not in stopped:
            os.kill(fleet[number].pid, signal.SIGSTOP)
            # Up to three leases long: the others take over, and what wakes up then is stale.
            stopped[number] = now + rng.uniform(0.05, 3 * LEASE_S)
            run.signals["SIGSTOP"] += 1
        with ledger.reader.view(ORIGIN) as view:
            grown = view.size
        with ledger.database.read() as conn:
            run.checkpoints = conn.execute(select(func.count()).select_from(checkpoints)).scalar_one()
        if grown > size:
            run.longest_stall_s = max(run.longest_stall_s, now - grew_at)
            grew_at, size = now, grown
    if run.checkpoints < batches:
        run.broken.append(f"only {run.checkpoints} checkpoints in {limit_s:.0f} s")


def _choose(ledger: SmallLedger, fleet: list[Any], rng: Random) -> int:
    """Any process, but half of the times the one that holds the lease: it is the one that can go stale."""
    with ledger.database.read() as conn:
        holder = conn.execute(select(sequencer_lease.c.pid)).scalar()
    leading = [number for number, process in enumerate(fleet) if process.pid == holder]
    return leading[0] if leading and rng.random() < 0.5 else rng.randrange(len(fleet))


def _judge(ledger: SmallLedger, directory: Path, run: FleetRun) -> None:
    """Hold what every process said against what is there."""
    said = [
        json.loads(line)
        for path in sorted(directory.glob("process-*"))
        for line in path.read_text().splitlines()
        if line.endswith("}")
    ]
    roots: defaultdict[int, set[str]] = defaultdict(set)
    signers = set()
    report = audit(ledger.database, keyring=ledger.keyring, kinds=[PURCHASE])
    run.broken += [str(finding) for finding in report.findings]
    with ledger.database.read() as conn, ledger.reader.view(ORIGIN) as view:
        for each in said:
            if each["said"] == "signed":
                run.signatures += 1
                roots[each["size"]].add(each["root"])
                signers.add(each["pid"])
            elif each["said"] == "alarm":
                run.fenced += each["code"] == FencedError.code
            else:
                run.acknowledged += each["said"] == "accepted"
                index = view.index_of(find_record(conn, each["id"]).record)
                if parse_entry(view.entry(index)).claim.id != each["id"]:
                    run.broken.append(f"record {each['id']} is not where it was put")
                if each["said"] == "published":
                    roots[each["size"]].add(each["root"])
                    if index != each["index"]:
                        run.broken.append(f"record {each['id']} has moved from {each['index']} to {index}")
        run.broken += [
            f"size {size} was signed with {len(each)} roots" for size, each in roots.items() if len(each) > 1
        ]
    run.leaders = len(signers)
