"""The service under the state machine: installed once, copied for each example, crashed and started again.

It is built as `audit-ledger serve` builds it, with a clock that stands still and without a chain. A crash is a fault
at a durable step, done or not, after which the parts are abandoned where they are; or a child process that
builds the service anew, does one thing, and dies by SIGKILL at that step.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from sqlalchemy import update

from ledger_service.config import load_settings
from ledger_service.errors import LedgerError, OutcomeUnknownError, StoppedError
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.log.tables import sequencer_lease
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.erasure import parse_certificate
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Acceptable, Outcome, Rejected, Replayed
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.storage import failpoints
from ledger_service.verification.finder import FoundRecord, Wanted
from ledger_service.verification.recorder import Pending, Recorded
from ledger_service.wiring.build import build
from ledger_service.wiring.installation import install
from ledger_service.wiring.keeper import Keeper
from ledger_service.wiring.kinds import KINDS
from tests.support.plain_model import LOGS, Write
from tests.support.processes import die_with_parent
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from multiprocessing.context import ForkServerContext

    from ledger_service.log.ledger_thread import LedgerThread
    from ledger_service.wiring.service import Service
    from tests.support.postgres import PostgresCluster

Task: TypeAlias = "Callable[[MachineHost], object]"

ORG = "shop"
EVERY_KIND = [kind.name for kind in KINDS.all()]
_PAID = "2026-11-20T14:03:07Z"
# However busy the machine is.
_PATIENCE_S = 600.0
_SETTINGS = {
    "AUDIT_LEDGER_ORIGIN_HOST": "ledger.test",
    "AUDIT_LEDGER_DISK_RESERVE_MB": "0",
    "AUDIT_LEDGER_SEQUENCE_BOUND_S": "60",
    "AUDIT_LEDGER_HEARTBEAT_S": "86400",
    # Streams of a few rows shall have several transactions, and no process is started for them.
    "AUDIT_LEDGER_BULK_BATCH": "4",
    "AUDIT_LEDGER_SEAL_WORKERS": "0",
}


class Template:
    """An installation with one organization, of which each example gets a copy."""

    def __init__(self, folder: Path, cluster: PostgresCluster | None = None) -> None:
        """Install in `folder`, on SQLite or in a cluster."""
        self._folder = folder
        self._cluster = cluster
        self._url = "" if cluster is None else cluster.create_database()
        settings = load_settings(self._environment(folder / "template", self._url))
        install(settings)
        with build(settings, clock=SetClock(), anchoring=False) as service:
            service.create_organization(ORG, name="The Shop")
            service.organizations.create("other", name="Somebody else")

    def begin(self) -> dict[str, str]:
        """The settings of a fresh copy."""
        folder = Path(tempfile.mkdtemp(dir=self._folder)) / "data"
        shutil.copytree(self._folder / "template", folder)
        url = self._url
        if self._cluster is not None:
            url = self._cluster.create_database(template=url.split("@/", 1)[1].split("?", 1)[0])
        return self._environment(folder, url)

    def end(self, environment: Mapping[str, str]) -> None:
        """Throw a copy away."""
        shutil.rmtree(Path(environment["AUDIT_LEDGER_DATA_DIR"]).parent)
        if self._cluster is not None:
            self._cluster.drop_database(environment["AUDIT_LEDGER_DATABASE_URL"])

    def _environment(self, folder: Path, url: str) -> dict[str, str]:
        return {
            "AUDIT_LEDGER_DATA_DIR": str(folder),
            "AUDIT_LEDGER_DATABASE_URL": url,
            **_SETTINGS,
        }


@dataclass(frozen=True)
class Said:
    """What the service answered: `new`, `again` or the code of an error; id, receipt and count where there are."""

    verdict: str
    id: str | None = None
    receipt: bytes | None = None
    count: int = 0


class _UnanchoredKeeper(Keeper):
    """A keeper that lets the ledger thread begin at once: there is no chain to compare with."""

    def start(self) -> None:
        self._begin()


class MachineHost:
    """One service. `ids` are the ids of the model's records, by their number."""

    def __init__(self, environment: Mapping[str, str], clock: SetClock, ids: list[str | None]) -> None:
        """Nothing runs yet."""
        self.environment = environment
        self.clock = clock
        self.ids = ids
        self.service: Service

    @property
    def ledger(self) -> LedgerThread:
        """The thread that writes."""
        return self.service.recorder._ledger

    @cached_property
    def org_id(self) -> int:
        """The organization's number."""
        return self.service.organizations.find(ORG).id

    @cached_property
    def other_id(self) -> int:
        """Somebody else's."""
        return self.service.organizations.find("other").id

    def start(self) -> None:
        """Build and begin; returns when all that was accepted is published."""
        self.service = build(load_settings(self.environment), clock=self.clock, anchoring=False)
        self.service.keeper = _UnanchoredKeeper(
            self.ledger,
            cast("Any", None),
            compare=lambda: None,
            guard=cast("Any", None),
            poll_s=1.0,
            on_fatal=lambda _: None,
        )
        # A holder that crashed in this process has a number that still runs, so it would be waited for.
        with self.service.database.write("log.lease") as conn:
            conn.execute(update(sequencer_lease).values(until=0))
        self.service.keeper.start()
        self.settle()

    def stop(self) -> None:
        """Stop as an operator does."""
        self.service.stop()

    @property
    def crashed(self) -> bool:
        """Whether a fault has ended writing, and only a new start can tell what is true."""
        return self.service.database.failure is not None

    def settle(self) -> None:
        """Return when nothing waits; an erasure is sequenced a moment after it was answered."""
        deadline = time.monotonic() + _PATIENCE_S
        pause = threading.Event()
        while self.ledger._sequencer.unfinished():
            assert self.ledger.failure is None, self.ledger.failure
            assert time.monotonic() < deadline, "accepted records are not published"
            with self.ledger._wake:
                self.ledger._wake.notify()
            pause.wait(0.002)

    def write(self, key: str, write: Write) -> Said:
        """Record one fact under an idempotency key."""
        try:
            done = self._send(key, write)
        except LedgerError as error:
            return Said(error.code)
        receipt = done.receipt if isinstance(done, Recorded) else None
        return Said("again" if done.repeated else "new", done.id, receipt)

    def _send(self, key: str, write: Write) -> Recorded | Pending:
        about = None if write.about is None else self.ids[write.about]
        if write.verb == "status":
            assert about is not None
            since = {} if write.since is None else {"since": format_time(write.since)}
            body = {"state": write.state, "reason": "issuer_decision", **since}
            return self.service.change_status(about, body, org_id=self.org_id, key=key)
        if write.verb == "correction":
            assert about is not None
            right = private_fields(write, self.service.archive.state(about).kind.partition("/")[0])
            why = {"reason": "entered_in_error"}
            return self.service.correct(about, why, replacement=right, org_id=self.org_id, key=key)
        kind = KINDS.get(f"{write.verb}/v1")
        parsed = kind.parse(payload_of(write, about), self.clock.now())
        log = self.service.log_of(self.org_id, LOGS[write.verb])
        return self.service.record(Submission(log.target, kind, parsed, IdempotencyKey(key)))

    def write_rows(self, key: str, verb: str, rows: Iterable[bytes], *, dry: bool = False) -> Iterator[Said]:
        """Stream rows of one kind; what became of each, until a fault ends the stream."""
        log = self.service.log_of(self.org_id, LOGS[verb])
        request = BulkRequest(log.target, KINDS.get(f"{verb}/v1"), key, iter(rows))
        try:
            for each in (self.service.preview_rows if dry else self.service.record_rows)(request):
                yield _said(each.outcome)
        except (OutcomeUnknownError, StoppedError) as error:
            yield Said(error.code)

    def row(self, write: Write, own_key: str | None) -> bytes:
        """The line of a stream that says the same as `write`."""
        about = None if write.about is None else self.ids[write.about]
        named = {} if own_key is None else {"idempotency_key": own_key}
        return json.dumps({**payload_of(write, about), **named}).encode()

    def erase(self, key: str, subject: str) -> Said:
        """Erase a person."""
        try:
            done = self.service.erase(self.org_id, subject, reason="subject_request", key=key)
        except LedgerError as error:
            return Said(error.code)
        return Said("again" if done.repeated else "new", count=parse_certificate(done.certificate).records)

    def listed(self, *, page: int = 100, **wanted: Any) -> list[FoundRecord]:
        """All pages of a list, newest first."""
        asked = Wanted(**{"kinds": EVERY_KIND, **wanted})
        found: list[FoundRecord] = []
        cursor = None
        while True:
            got = self.service.finder.find(asked, org_id=self.org_id, cursor=cursor, limit=page)
            found += got.records
            cursor = got.cursor
            if cursor is None:
                return found

    def kill(self, armed: str, task: Task) -> bool:
        """Do the task in a child that builds the service anew; return whether it died at the armed step."""
        self.stop()
        arguments = (dict(self.environment), self.clock.now(), self.ids, armed, task)
        child = _context().Process(target=_do_and_die, args=arguments)
        child.start()
        child.join(_PATIENCE_S)
        assert child.exitcode in {0, -signal.SIGKILL}, child.exitcode
        return child.exitcode != 0


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _do_and_die(
    environment: dict[str, str], now: datetime, ids: list[str | None], armed: str, task: Task
) -> None:
    die_with_parent()()
    host = MachineHost(environment, SetClock(now), ids)
    host.start()
    failpoints.arm(armed)
    task(host)
    host.stop()


def payload_of(write: Write, about: str | None) -> dict[str, Any]:
    """What a caller sends."""
    fields = private_fields(write, write.verb)
    if write.verb == "refund":
        return {**fields, "purchase": about, "reason": "returned"}
    return {**fields, "supersedes": about} if about is not None else fields


def private_fields(write: Write, kind: str) -> dict[str, Any]:
    """The fields of a record that only its organization may see."""
    if kind == "purchase":
        item = {"sku": "CD-0042", "quantity": 1, "amount_minor": write.amount}
        sums = {"items": [item], "amount_minor": write.amount, "order_number": write.number}
        return {**sums, "buyer": write.subject, "paid_at": _PAID, "channel": "web", "currency": "USD"}
    if kind == "refund":
        money = {"amount_minor": write.amount, "currency": "USD"}
        return {**money, "refund_number": write.number, "refunded_at": _PAID}
    if kind == "completion":
        named = {"certificate_number": write.number, "learner": write.subject, "course": "AAA"}
        return {**named, "workload_hours": write.amount}
    if kind == "dataset":
        return {**EXAMPLE_DATASET, "dataset_number": write.number, "rows": write.amount}
    return {}


def _said(outcome: Outcome | Acceptable) -> Said:
    if isinstance(outcome, Rejected):
        return Said(outcome.error.code)
    if isinstance(outcome, Acceptable):
        return Said("new")
    return Said("again" if isinstance(outcome, Replayed) else "new", outcome.id)
