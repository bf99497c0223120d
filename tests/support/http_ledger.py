"""A ledger as an operator runs it: `audit-ledger serve` in a folder of its own, asked over real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ledger_service.accounts.scopes import Scope
from ledger_service.config import load_settings
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.wiring import build
from ledger_service.wiring.installation import install
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

T = TypeVar("T")

COMMAND = str(Path(sys.executable).with_name("audit-ledger"))
_START_S = 90.0
_ONLY_OURS = "AUDIT_LEDGER_"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def record(self) -> str:
        """The id that `Location` names."""
        return self.headers["Location"].rsplit("/", 1)[1]


def purchase(number: object, **changes: object) -> dict[str, object]:
    """A valid purchase of this order number; a change of None leaves the field out."""
    fields = {**EXAMPLE_PURCHASE, "order_number": str(number), **changes}
    return {name: value for name, value in fields.items() if value is not None}


def until(said: Callable[[], T | None], *, timeout_s: float = 60.0) -> T:
    """What `said` returns once that is not None; raises TimeoutError."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = said()
        if found is not None:
            return found
        pause.wait(0.05)
    raise TimeoutError


class HttpLedger:
    """One installation.

    In a `with` block it is installed, has an organization `shop` with a key, and serves.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        """Use `folder`; `settings` are names without AUDIT_LEDGER_."""
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_ONLY_OURS)}
        self.environment = clean | {
            "AUDIT_LEDGER_DATA_DIR": str(folder / "data"),
            "AUDIT_LEDGER_ORIGIN_HOST": "ledger.test",
            "AUDIT_LEDGER_PORT": str(self.port),
            "AUDIT_LEDGER_CHAIN_POLL_S": "0.1",
            "AUDIT_LEDGER_ANCHOR_EVERY_S": "0",
            # A machine that is busy for 5 s must not turn the 201 that a test asks for into a 202.
            "AUDIT_LEDGER_SEQUENCE_BOUND_S": "60",
            **{f"AUDIT_LEDGER_{name}": value for name, value in settings.items()},
        }
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = ""
        self._server: ChildProcess | None = None

    def __enter__(self) -> Self:
        """Install and serve, until every log has its opening entry: what is armed later meets later entries."""
        self.install()
        self.start()
        until(lambda: all(log["size"] for log in self.get("/v1/logs").json["logs"]) or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill whatever still runs."""
        if self._server is not None:
            self._server.kill()

    @property
    def pid(self) -> int:
        """The process, and the group, of the running command."""
        assert self._server is not None
        return self._server.popen.pid

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def install(self) -> None:
        """What `init`, `org create` and `key create` do, without a process for each."""
        settings = load_settings(self.environment)
        install(settings)
        with build(settings, anchoring=False) as service:
            service.create_organization("shop", name="The Shop")
            shop = service.organizations.find("shop")
            self.key = service.api_keys.issue(shop, scopes=set(Scope), label="test")

    def command(self, *arguments: str, expect: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `audit-ledger`; its exit code must be the expected one."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
        )
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *, ready: bool = True, **settings: str) -> None:
        """Start `serve`; return when it is ready for writes, or with `ready=False` when it answers at all."""
        environment = self.environment | {f"AUDIT_LEDGER_{name}": text for name, text in settings.items()}
        with (self.folder / "serve.log").open("ab") as log:
            self._server = ChildProcess.start(
                [COMMAND, "serve"],
                environment=environment,
                stdout=log.fileno(),
                stderr=log.fileno(),
                stop_signal=signal.SIGTERM,
            )
        wanted = {HTTPStatus.OK} if ready else {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
        try:
            until(lambda: self._answers(wanted), timeout_s=_START_S)
        except TimeoutError:
            raise AssertionError((self.folder / "serve.log").read_text()) from None

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._server is not None
        self._server.popen.send_signal(signal.SIGTERM)
        return self._server.wait(timeout_s=60)

    def kill(self) -> None:
        """SIGKILL to the command and everything in its group."""
        assert self._server is not None
        self._server.kill()

    def wait(self, *, timeout_s: float = 60.0) -> int:
        """The exit code, once it ends by itself."""
        assert self._server is not None
        return self._server.wait(timeout_s=timeout_s)

    def log(self) -> str:
        """Everything that the server has said."""
        return (self.folder / "serve.log").read_text(encoding="utf-8")

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        key: str | None = None,
        **headers: str,
    ) -> Reply:
        """One request on a connection of its own; `Idempotency_Key="x"` becomes `Idempotency-Key: x`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if key:
            named["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, *, key: str | None = None) -> Reply:
        """A GET."""
        return self.ask("GET", path, key=key)

    def record(
        self, payload: Mapping[str, object], *, name: str, org: str = "shop", key: str | None = None
    ) -> Reply:
        """Record a purchase under an idempotency key."""
        return self.ask(
            "POST",
            f"/v1/orgs/{org}/purchases",
            json.dumps(payload).encode(),
            key=self.key if key is None else key,
            Idempotency_Key=name,
            Content_Type="application/json",
        )

    def bulk(self, rows: Iterable[bytes], *, name: str) -> list[dict[str, Any]]:
        """Stream rows; returns the result lines."""
        reply = self.ask(
            "POST",
            "/v1/orgs/shop/purchases/bulk",
            (row + b"\n" for row in rows),
            key=self.key,
            Idempotency_Key=name,
            Content_Type="application/x-ndjson",
        )
        assert reply.status == HTTPStatus.OK, reply
        return [json.loads(line) for line in reply.body.splitlines()]

    def wait_stage(self, record: str, *stages: str) -> str:
        """The stage of a record, once it is one of these."""

        def look() -> str | None:
            stage: str = self.get(f"/v1/records/{record}").json["stage"]
            return stage if stage in stages else None

        return until(look)

    def wait_ready(self) -> None:
        """Return when writes are taken again."""
        until(lambda: self._answers({HTTPStatus.OK}))

    def wait_reason(self, code: str) -> Reply:
        """The answer of /readyz, once its reasons name this code."""
        return self._wait_readyz("reasons", code)

    def wait_note(self, code: str) -> Reply:
        """The answer of /readyz, once its notes name this code."""
        return self._wait_readyz("notes", code)

    def _wait_readyz(self, member: str, code: str) -> Reply:
        def look() -> Reply | None:
            reply = self.get("/readyz")
            return reply if any(f"[{code}]" in line for line in reply.json[member]) else None

        return until(look)

    def _answers(self, wanted: set[HTTPStatus]) -> int | None:
        assert self._server is not None
        assert self._server.popen.poll() is None, self.log()
        try:
            status = self.get("/readyz").status
        except OSError:
            return None
        return status if status in wanted else None
