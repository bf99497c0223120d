"""The service in a forked child, so that a test can kill it a hundred times a minute.

`audit-ledger serve` takes seconds to import what it needs. Here a server process imports everything once
and forks a child for each start; the child builds the service as `serve` does and does what its parent
says over a pipe. The tests that start the real command are few; these are many.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ledger_service.accounts.scopes import Scope
from ledger_service.chain.embedded.node import run_node
from ledger_service.chain.rpc import JsonRpc
from ledger_service.clock import SystemClock
from ledger_service.config import load_settings
from ledger_service.errors import LedgerError, OrganizationExistsError, UnknownSubjectError
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.receipt import parse_receipt
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Acceptable, Rejected
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.storage import failpoints
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.verification.recorder import Recorded
from ledger_service.webhooks.courier import Courier
from ledger_service.webhooks.destinations import Reach
from ledger_service.webhooks.outbox import Outbox
from ledger_service.webhooks.sender import Sender
from ledger_service.wiring.auditing import run_audit
from ledger_service.wiring.build import build
from ledger_service.wiring.events import configure_events
from ledger_service.wiring.installation import (
    chain_file,
    chain_url,
    install,
    load_key_wrapper,
    load_publisher,
)
from ledger_service.wiring.log_keys import rotate_log_keys
from ledger_service.wiring.publisher import rotate_publisher
from ledger_service.wiring.rotation import retire_kek, rotate_kek
from tests.support.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext

    from ledger_service.config import Settings
    from ledger_service.wiring.service import Service

ORG = "shop"
COLLECTION = "purchases"
# What a server exits with when storage failed in a way that only a clean start can judge.
FATAL_EXIT = 3
DEFECT_EXIT = 70
LOG_NAME = "host.log"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said to one request: an id and a place in the log, or the code of its error.

    `place` is (index, size, root) as the receipt proves it, or None for an acceptance without a proof.
    """

    key: str
    record: str | None = None
    place: tuple[int, int, bytes] | None = None
    error: str | None = None


def host_context() -> ForkServerContext:
    """The context whose children are forked from a process that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.service_host"])
    return context


def _become_host(environment: Mapping[str, str]) -> Settings:
    """Tie this child to its parent, send its words to a file, and arm what the settings say."""
    die_with_parent()()
    settings = load_settings(environment)
    log = os.open(settings.data_dir.parent / LOG_NAME, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    configure_events(settings.log_level)
    failpoints.arm(settings.failpoints)
    return settings


def run_setup(environment: Mapping[str, str], connection: Connection) -> None:
    """What `init`, `org create` and `key create` do, with whatever failpoints are armed."""
    settings = _become_host(environment)
    try:
        install(settings)
        with build(settings) as service:
            with contextlib.suppress(OrganizationExistsError):
                service.create_organization(ORG, name="A shop")
            service.api_keys.issue(
                service.organizations.find(ORG), scopes=frozenset(Scope), label="test", expires=None
            )
    except LedgerError as error:
        connection.send(error.code)
    else:
        connection.send(None)


def run_chain(environment: Mapping[str, str], port: int, connection: Connection) -> None:
    """The embedded chain's node of an installation, on a known port."""
    settings = _become_host(environment)
    account = load_publisher(settings, SigningKeyFiles(settings.keys_dir, load_key_wrapper(settings)))
    run_node(
        path=chain_file(settings),
        clock=SystemClock(),
        port=port,
        funded=account.address,
        unsafe_synchronous=settings.unsafe_synchronous,
        ready=lambda ready: connection.send(ready.url),
    )


def run_service(environment: Mapping[str, str], connection: Connection) -> None:
    """The service: answers requests from the pipe until it is told to stop or the pipe closes."""
    settings = _become_host(environment)
    try:
        service = build(settings, on_fatal=lambda _error: os._exit(FATAL_EXIT))
        service.start()
    except LedgerError as error:
        connection.send(("failed", error.code))
        return
    connection.send(("started", None))
    _Desk(service, connection).work()


@dataclass(frozen=True, slots=True)
class _LaterClock:
    """The time in some days."""

    ahead: timedelta

    def now(self) -> datetime:
        """That moment."""
        return SystemClock().now() + self.ahead


class _Desk:
    """Requests from the pipe, each answered by a thread of its own."""

    def __init__(self, service: Service, connection: Connection) -> None:
        self._service = service
        self._connection = connection
        self._sending = threading.Lock()

    def work(self) -> None:
        with ThreadPoolExecutor(8) as threads:
            while True:
                try:
                    word, arguments = self._connection.recv()
                except EOFError:
                    os._exit(0)
                if word == "stop":
                    self._service.stop()
                    return
                threads.submit(self._carry_out, word, arguments)

    def _carry_out(self, word: str, arguments: Sequence[Any]) -> None:
        """Do one thing; a defect ends the service, so that nobody waits for an answer that never comes."""
        try:
            getattr(self, f"_{word}")(*arguments)
        except BaseException:  # noqa: BLE001 - whatever it is, it must not stay unseen
            traceback.print_exc()
            os._exit(DEFECT_EXIT)

    def _say(self, word: str, content: object) -> None:
        with self._sending:
            self._connection.send((word, content))

    def _fired(self) -> None:
        """Whether the armed failpoint has been reached often enough."""
        self._say("fired", all(arm.left <= 0 for arm in failpoints._armed.values()))

    def _record(self, key: str, payload: dict[str, Any]) -> None:
        """Record one purchase, as a request to the API would."""
        service = self._service
        try:
            org = service.organizations.find(ORG)
            parsed = PURCHASE.parse(payload, service.clock.now())
            target = service.log_of(org.id, COLLECTION).target
            answer = service.record(Submission(target, PURCHASE, parsed, IdempotencyKey(key, 0)))
        except LedgerError as error:
            self._say("answer", Answer(key, error=error.code))
            return
        place = None
        if isinstance(answer, Recorded):
            proof = parse_receipt(answer.receipt).proof
            _, size, root = proof.checkpoint.decode().split("\n")[:3]
            place = (int(proof.index), int(size), root.encode())
        self._say("answer", Answer(key, record=str(answer.id), place=place))

    def _erase(self, key: str, subject: str) -> None:
        """Erase a customer, as a request to the API would."""
        service = self._service
        try:
            org = service.organizations.find(ORG)
            service.erase(org.id, subject, reason="subject_request", key=key)
        except UnknownSubjectError:
            self._say("done", (key, True))
        except LedgerError:
            self._say("done", (key, False))
        else:
            self._say("done", (key, True))

    def _rotate(self, key: str, publisher: bool) -> None:  # noqa: FBT001 - from the pipe
        """Rotate a log's keys and the key-encryption key, and destroy the old one of these.

        With `publisher` the account that publishes is replaced as well. The commands do the same beside a service.
        """
        settings = self._service.settings
        try:
            if publisher:
                self._rotate_publisher(settings)
            rotate_log_keys(settings, ORG, COLLECTION, clock=self._service.clock)
            rotate_kek(settings)
            retire_kek(settings)
        except LedgerError:
            self._say("done", (key, False))
        else:
            self._say("done", (key, True))

    def _rotate_publisher(self, settings: Settings) -> None:
        """Name the next publisher; on a chain that others run it gets its money first."""
        done = rotate_publisher(settings, clock=self._service.clock)
        if not done.named:
            address = "0x" + done.following.hex()
            JsonRpc(chain_url(settings)).ask("anvil_setBalance", address, hex(10**20))
            rotate_publisher(settings, clock=self._service.clock)

    def _audit(self, key: str) -> None:
        """Audit everything and record the signed report, as the command does beside a service."""
        try:
            recorded = run_audit(self._service)
        except LedgerError:
            self._say("done", (key, False))
        else:
            self._say("done", (key, recorded.unrecorded is None and recorded.note is not None))

    def _hook(self, key: str, url: str) -> None:
        """Register an endpoint in the place of those before it, as an organization would."""
        service = self._service
        with contextlib.suppress(LedgerError):
            org = service.organizations.find(ORG)
            before = service.webhooks.endpoints.all(org)
            service.webhooks.endpoints.register(org, url)
            for endpoint in before:
                service.webhooks.endpoints.remove(org, endpoint.name)
        self._say("done", (key, True))

    def _deliver_late(self, key: str) -> None:
        """Bring events to their endpoints as it is done after weeks: they are given up, and forgotten."""
        service = self._service
        reach = Reach(service.settings.webhook_ports, unsafe_local=True)
        with contextlib.suppress(LedgerError):
            for days in (10, 60):
                clock = _LaterClock(timedelta(days=days))
                outbox = Outbox(
                    service.database, service.webhooks.endpoints, clock=clock, entropy=secrets.token_bytes
                )
                courier = Courier(outbox, Sender(reach), clock=clock, poll_s=1, report=lambda _error: None)
                courier.deliver_due()
                outbox.forget_old()
        self._say("done", (key, True))

    def _bulk(self, key: str, lines: Sequence[bytes]) -> None:
        """Record a stream of purchases, as a bulk request would."""
        service = self._service
        try:
            org = service.organizations.find(ORG)
            target = service.log_of(org.id, COLLECTION).target
            request = BulkRequest(target=target, kind=PURCHASE, idempotency_key=key, lines=lines)
            for result in service.record_rows(request):
                name = f"{key}/{result.line}"
                if isinstance(result.outcome, Rejected):
                    self._say("answer", Answer(name, error=result.outcome.error.code))
                elif not isinstance(result.outcome, Acceptable):
                    self._say("answer", Answer(name, record=str(result.outcome.id)))
        except LedgerError as error:
            self._say("bulk-failed", (key, error.code))
            return
        self._say("bulk-done", key)
