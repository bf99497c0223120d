"""An installation under test: directory, chain, the service in a child, and a client with a memory."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from ledger_service.config import load_settings
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.wiring.installation import note_chain_url
from tests.support.anvil import FUNDED_KEYS, Anvil
from tests.support.json_rpc import JsonRpc
from tests.support.service_host import LOG_NAME, Answer, host_context, run_chain, run_service, run_setup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess
    from random import Random
    from types import TracebackType

    from tests.support.postgres import PostgresCluster

_ANSWER_LIMIT_S = 20.0
_START_LIMIT_S = 60.0
# A test waits for the chain more often than an operator does.
_BRISK = {
    "AUDIT_LEDGER_ORIGIN_HOST": "ledger.test",
    "AUDIT_LEDGER_CHAIN_POLL_S": "0.15",
    "AUDIT_LEDGER_ANCHOR_EVERY_S": "0",
    "AUDIT_LEDGER_SEQUENCE_BOUND_S": "5",
    "AUDIT_LEDGER_DISK_RESERVE_MB": "0",
    "AUDIT_LEDGER_UNSAFE_WEBHOOKS": "yes",
    "AUDIT_LEDGER_BULK_BATCH": "5",
    # A process that prepares rows takes longer to start than most cases last.
    "AUDIT_LEDGER_SEAL_WORKERS": "0",
}


class Backend(Protocol):
    """A database and a chain to run on."""

    name: str
    restarts: int

    def begin(self, directory: Path) -> dict[str, str]:
        """Settings of a new, empty installation in that directory, its chain included."""

    def restart_chain(self, environment: Mapping[str, str], *, failpoints: str = "") -> None:
        """Make sure that the chain runs."""

    def rpc(self) -> JsonRpc:
        """The chain's JSON-RPC."""

    def nudge(self) -> None:
        """Let the chain make a block if it makes none by itself."""

    def end(self) -> None:
        """Throw away what `begin` made."""


class EmbeddedBackend:
    """SQLite, and the embedded chain in a child."""

    name = "sqlite+embedded"

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._context = host_context()
        self._node: ForkServerProcess | None = None
        self._port = 0
        self.restarts = 0

    def begin(self, directory: Path) -> dict[str, str]:
        """SQLite in the data directory, and a port for the chain."""
        self.restarts = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        return {"AUDIT_LEDGER_DATA_DIR": str(directory / "data"), **_BRISK}

    def restart_chain(self, environment: Mapping[str, str], *, failpoints: str = "") -> None:
        """Start the node unless it runs, as the supervisor does; note its address for the service."""
        if self._node is not None and self._node.exitcode is None:
            return
        self.restarts += self._node is not None
        url = self._start_node(environment, failpoints)
        if url is None:
            # It died while it was making block 0. Only the first child has failpoints armed.
            self.restarts += 1
            url = self._start_node(environment, "")
        if url is None:
            raise TimeoutError("the embedded chain does not start")
        note_chain_url(load_settings(environment), url)

    def _start_node(self, environment: Mapping[str, str], failpoints: str) -> str | None:
        """Start the child and return where it serves, or None when it died before it did."""
        ours, theirs = self._context.Pipe()
        armed = {**environment, "AUDIT_LEDGER_FAILPOINTS": failpoints}
        self._node = self._context.Process(target=run_chain, args=(armed, self._port, theirs), daemon=True)
        self._node.start()
        theirs.close()
        if not ours.poll(_START_LIMIT_S):
            raise TimeoutError("the embedded chain did not start")
        try:
            return str(ours.recv())
        except EOFError:
            self._node.join()
            return None

    def rpc(self) -> JsonRpc:
        """The node's."""
        return JsonRpc(f"http://127.0.0.1:{self._port}")

    def nudge(self) -> None:
        """The embedded chain makes its blocks itself."""

    def end(self) -> None:
        """Kill the node."""
        if self._node is not None:
            self._node.kill()
            self._node.join()
            self._node = None


class AnvilBackend:
    """PostgreSQL, and an Anvil that every installation finds as it was at first."""

    name = "postgres+anvil"

    def __init__(self, cluster: PostgresCluster, anvil: Anvil) -> None:
        """Use a running cluster and a running node."""
        self._cluster = cluster
        self._anvil = anvil
        self._url = ""
        self._snapshot = ""
        self.restarts = 0

    def begin(self, directory: Path) -> dict[str, str]:
        """An empty database, and the chain's state to come back to."""
        self._url = self._cluster.create_database()
        self._snapshot = self._anvil.rpc.call("evm_snapshot")
        key_file = directory / "payer.key"
        key_file.touch(mode=0o600)
        key_file.write_text(FUNDED_KEYS[0].hex() + "\n")
        return {
            "AUDIT_LEDGER_DATA_DIR": str(directory / "data"),
            "AUDIT_LEDGER_DATABASE_URL": self._url,
            "AUDIT_LEDGER_CHAIN_URL": self._anvil.url,
            "AUDIT_LEDGER_CHAIN_PRIVATE_KEY_FILE": str(key_file),
            "AUDIT_LEDGER_CONFIRMATIONS": "1",
            **_BRISK,
        }

    def restart_chain(self, environment: Mapping[str, str], *, failpoints: str = "") -> None:
        """Anvil runs all the time."""

    def rpc(self) -> JsonRpc:
        """Anvil's."""
        return self._anvil.rpc

    def nudge(self) -> None:
        """Make an empty block, so that what is in the newest one becomes final."""
        self._anvil.mine()

    def end(self) -> None:
        """Drop the database and put the chain back."""
        self._cluster.drop_database(self._url)
        self._anvil.rpc.call("evm_revert", self._snapshot)


@dataclass
class Installation:
    """One installation and what its client was told. Whatever the client heard must stay true."""

    backend: Backend
    rng: Random
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ledger-installation-")))
    environment: dict[str, str] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: dict[str, Answer] = field(default_factory=dict)
    # By its key: whom to erase, and what of them was acknowledged before that was asked.
    erasures: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    contradictions: list[str] = field(default_factory=list)
    moves: bool = False
    _process: ForkServerProcess | None = None
    _pipe: Connection | None = None

    def __post_init__(self) -> None:
        """Nothing is installed yet."""
        self.environment = self.backend.begin(self.directory)
        self._context = host_context()

    # --- the operator ---------------------------------------------------------------------------------------

    def set_up(self, failpoints: str = "") -> str | None:
        """Install, with failpoints armed; return None, an error's code, or `killed`."""
        ours, theirs = self._context.Pipe()
        armed = {**self.environment, "AUDIT_LEDGER_FAILPOINTS": failpoints}
        process = self._context.Process(target=run_setup, args=(armed, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            said: str | None = ours.recv()
        except EOFError:
            said = "killed"
        process.join()
        return said

    def start(self, failpoints: str = "") -> str | None:
        """Start chain and service; return None, an error's code, or `killed` if it died while starting."""
        self.backend.restart_chain(self.environment, failpoints=failpoints)
        self._pipe, theirs = self._context.Pipe()
        armed = {**self.environment, "AUDIT_LEDGER_FAILPOINTS": failpoints}
        self._process = self._context.Process(target=run_service, args=(armed, theirs), daemon=True)
        self._process.start()
        theirs.close()
        try:
            word, content = self._pipe.recv()
        except EOFError:
            return "killed"
        return None if word == "started" else str(content)

    @property
    def alive(self) -> bool:
        """Whether the service runs."""
        return self._process is not None and self._process.exitcode is None

    def kill(self) -> None:
        """SIGKILL to the service, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def words(self) -> str:
        """The last that service and chain said, for a report of what went wrong."""
        path = Path(self.environment["AUDIT_LEDGER_DATA_DIR"]).parent / LOG_NAME
        return path.read_text(errors="replace")[-4_000:] if path.exists() else ""

    def stop(self) -> None:
        """Ask the service to end, as SIGTERM does."""
        if self._say("stop", ()) and self._process is not None:
            self._process.join(_START_LIMIT_S)
        self.kill()

    # --- the client -----------------------------------------------------------------------------------------

    def record(self, keys: Iterable[str]) -> set[str]:
        """Ask for a record under each key, all at once; return the keys that were not answered well."""
        wanted = set(keys)
        for key in wanted:
            self._say("record", (key, self.asked.setdefault(key, self._purchase(key))))
        return wanted - self._listen(wanted)

    def record_rows(self, key: str, count: int) -> set[str]:
        """Ask for a stream of records under one key; return those not answered well."""
        names = [f"{key}/{line}" for line in range(1, count + 1)]
        rows = [self.asked.setdefault(name, self._purchase(name)) for name in names]
        self._say("bulk", (key, [json.dumps(row).encode() for row in rows]))
        return set(names) - self._listen(set(names))

    def erase(self, key: str, subject: str) -> bool:
        """Ask to erase a customer under a key; return whether that was answered well."""
        if key not in self.erasures:
            known = frozenset(each for each in self.heard if self.asked[each]["buyer"] == subject)
            self.erasures[key] = (subject, known)
        self._say("erase", (key, subject))
        self.erased |= self._listen({key})
        return key in self.erased

    def rotate(self, key: str) -> bool:
        """Ask to rotate a log's keys and the key-encryption key; return whether that was answered well.

        With `moves` the publisher is replaced as well.
        """
        self._say("rotate", (key, self.moves))
        return key in self._listen({key})

    def audit(self, key: str) -> bool:
        """Ask for an audit whose signed report is recorded; return whether that was answered well."""
        self._say("audit", (key,))
        return key in self._listen({key})

    def hook(self, key: str) -> None:
        """Ask to be told at an address where nobody listens, instead of the one before."""
        self._say("hook", (key, f"http://localhost:9/{key}"))
        self._listen({key})

    def deliver_late(self, key: str) -> None:
        """Let events be given up and forgotten, as they are after weeks."""
        self._say("deliver_late", (key,))
        self._listen({key})

    def _purchase(self, key: str) -> dict[str, Any]:
        return {**EXAMPLE_PURCHASE, "order_number": key, "buyer": f"customer-{self.rng.randint(1, 5)}"}

    def _say(self, word: str, arguments: Sequence[object]) -> bool:
        assert self._pipe is not None
        try:
            self._pipe.send((word, arguments))
        except (BrokenPipeError, ConnectionResetError, OSError):
            return False
        return True

    def _listen(self, wanted: set[str]) -> set[str]:
        """Take answers until each key has one, the service dies, or patience ends."""
        assert self._pipe is not None
        answered: set[str] = set()
        good: set[str] = set()
        deadline = time.monotonic() + _ANSWER_LIMIT_S
        while answered < wanted and time.monotonic() < deadline:
            try:
                if not self._pipe.poll(0.5):
                    continue
                word, content = self._pipe.recv()
            except (EOFError, ConnectionResetError):
                break
            if word == "answer":
                answered.add(content.key)
                if content.error is None:
                    good.add(content.key)
                    self._remember(content)
            elif word == "done":
                answered.add(content[0])
                good |= {content[0]} if content[1] else set()
            elif word == "bulk-failed":
                answered |= {key for key in wanted if key.startswith(f"{content[0]}/")}
        return good

    def _remember(self, answer: Answer) -> None:
        """Hold every answer against what was said before under the same key."""
        before = self.heard.get(answer.key)
        if before is not None and before.record != answer.record:
            self.contradictions.append(f"{answer.key} was record {before.record}, now it is {answer.record}")
        if before is not None and before.place and answer.place and before.place[0] != answer.place[0]:
            self.contradictions.append(f"{answer.key} was entry {before.place[0]}, now {answer.place[0]}")
        if before is None or before.place is None:
            self.heard[answer.key] = answer

    def ask_fired(self) -> bool:
        """Whether the armed failpoint of the running service was reached; a service that died of it reached it."""
        assert self._pipe is not None
        if not self._say("fired", ()):
            return self._has_died()
        while self._pipe.poll(_ANSWER_LIMIT_S):
            try:
                word, content = self._pipe.recv()
            except (EOFError, ConnectionResetError):
                return self._has_died()
            if word == "fired":
                return bool(content)
            if word == "answer" and content.error is None:
                self._remember(content)
        return False

    def _has_died(self) -> bool:
        """Wait for the end of a service whose pipe is closed: its exit code comes a moment later."""
        assert self._process is not None
        self._process.join(_ANSWER_LIMIT_S)
        return not self.alive

    # --- the end --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End everything and remove the directory."""
        self.kill()
        self.backend.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """The installation."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Throw it away."""
        self.close()


def pause(seconds: float) -> None:
    """Wait for something that says nothing when it happens."""
    threading.Event().wait(seconds)
