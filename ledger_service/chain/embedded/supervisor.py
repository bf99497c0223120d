"""Keeps the embedded chain running as a child process, started again when it dies.

The parent holds the listening socket and hands it to each child, so that the address never changes and a client that
connects while the node starts again waits a moment instead of being refused. The parent also holds the child's
standard input open: when the parent is gone, however it died, the child reads the end of it and stops.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import ledger_service
from ledger_service.chain.embedded.exits import CONFIGURATION, FAILED
from ledger_service.chain.embedded.listening import DEFAULT_HOST, listen, url_of
from ledger_service.errors import ChainFileError, ChainUnavailableError

if TYPE_CHECKING:
    import socket
    from types import TracebackType

START_S: Final = 60.0
STOP_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
# A child that served this long was well, so that the next pause is short again.
HEALTHY_S: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeLife:
    """What has become of the child so far. `last_exit` is a return code, negative for a signal."""

    running: bool
    restarts: int
    last_exit: int | None
    gave_up: bool


class EmbeddedNode:
    """A node of the embedded chain in a child process, on a loopback port of its own."""

    def __init__(
        self,
        path: Path,
        *,
        key_file: Path | None = None,
        funded: bytes | None = None,
        host: str = DEFAULT_HOST,
        port: int = 0,
        failpoints: str = "",
        unsafe_synchronous: str | None = None,
    ) -> None:
        """Start nothing yet. `port` 0 takes any free one. `failpoints` are armed in the first child only."""
        self._path = path.absolute()
        self._options = _options(key_file=key_file, funded=funded, unsafe_synchronous=unsafe_synchronous)
        self._address = (host, port)
        self._failpoints = failpoints
        self._listening: socket.socket | None = None
        self._url: str | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._watching: threading.Thread | None = None
        self._stopping = threading.Event()
        self._change = threading.Condition()
        self._ready: dict[str, Any] | None = None
        self._life = NodeLife(running=False, restarts=0, last_exit=None, gave_up=False)

    def __enter__(self) -> Self:
        """Start the node and wait until it serves."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the node."""
        self.stop()

    @property
    def url(self) -> str:
        """Where the node serves, from `start` to `stop`."""
        if self._url is None:
            raise ChainUnavailableError("The embedded chain was not started.")
        return self._url

    @property
    def pid(self) -> int | None:
        """The child's process id, or None between two children."""
        child = self._child
        return None if child is None or child.poll() is not None else child.pid

    @property
    def life(self) -> NodeLife:
        """What has become of the child so far."""
        with self._change:
            return self._life

    def start(self, *, timeout_s: float = START_S) -> dict[str, Any]:
        """Start the child and return what it says when it serves: url, chain_id, genesis_hash, funded.

        Raises ChainFileError when the child refuses its file or key, ChainUnavailableError when it is not ready in
        time, and OSError when the port is taken.
        """
        self._stopping.clear()
        self._life = NodeLife(running=False, restarts=0, last_exit=None, gave_up=False)
        self._listening = listen(*self._address)
        self._url = url_of(self._listening)
        self._watching = threading.Thread(target=self._watch, name="chain-supervisor", daemon=True)
        self._watching.start()
        return self.wait_ready(timeout_s=timeout_s)

    def wait_ready(self, *, timeout_s: float = START_S) -> dict[str, Any]:
        """Return what the present child said when it began to serve. Raises as `start` does."""
        with self._change:
            self._change.wait_for(lambda: self._ready is not None or self._life.gave_up, timeout_s)
            if self._life.gave_up:
                raise ChainFileError(
                    "The embedded chain refuses to start; its own words are on standard error."
                )
            if self._ready is None:
                raise ChainUnavailableError(f"The embedded chain was not ready within {timeout_s:g} s.")
            return self._ready

    def stop(self, *, timeout_s: float = STOP_S) -> None:
        """Stop the child, after the block it is making, and close the port. May be called twice."""
        self._stopping.set()
        child = self._child
        if child is not None:
            child.terminate()
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
        if self._watching is not None:
            self._watching.join()
            self._watching = None
        if self._listening is not None:
            self._listening.close()
            self._listening = self._url = None

    def _watch(self) -> None:
        """Start a child, wait for its end, and again, until told to stop or until starting again cannot help."""
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                code = self._run_child()
            except OSError:
                # No process, no memory or no file descriptor was to be had. There may be one later.
                _log.exception("the embedded chain cannot be started")
                code = FAILED
            gave_up = code == CONFIGURATION and not self._stopping.is_set()
            if gave_up:
                # Nobody will accept what connects from now on, so it shall be refused instead of waiting.
                self._close_port()
            with self._change:
                self._ready = None
                self._life = replace(self._life, running=False, last_exit=code, gave_up=gave_up)
                self._change.notify_all()
            if gave_up or self._stopping.is_set():
                return
            _log.warning("the embedded chain ended with %d and is started again", code)
            pause = (
                FIRST_PAUSE_S if time.monotonic() - started > HEALTHY_S else min(2 * pause, LONGEST_PAUSE_S)
            )
            if not self._stopping.wait(pause):
                with self._change:
                    self._life = replace(self._life, restarts=self._life.restarts + 1)

    def _close_port(self) -> None:
        assert self._listening is not None
        self._listening.close()

    def _run_child(self) -> int:
        assert self._listening is not None
        handle = self._listening.fileno()
        armed, self._failpoints = self._failpoints, ""
        command = [
            sys.executable, "-m", "ledger_service.chain.embedded", "--path", str(self._path), "--with-parent",
            "--listen-handle", str(handle), "--failpoints", armed, *self._options,
        ]  # fmt: skip
        with subprocess.Popen(  # noqa: S603  our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(handle,),
            cwd=Path(ledger_service.__file__).parents[1],
            # A terminal's Ctrl-C is for the parent, which then stops the child in order.
            start_new_session=True,
        ) as child:
            self._child = child
            if self._stopping.is_set():
                child.terminate()
            assert child.stdout is not None
            line = child.stdout.readline()
            # A child that was killed in the middle of its line has said nothing.
            if line.endswith(b"\n"):
                with self._change:
                    self._ready = json.loads(line)
                    self._life = replace(self._life, running=True)
                    self._change.notify_all()
            return child.wait()


def _options(*, key_file: Path | None, funded: bytes | None, unsafe_synchronous: str | None) -> list[str]:
    options: list[str] = []
    if key_file is not None:
        options += ["--key-file", str(key_file.absolute())]
    if funded is not None:
        options += ["--funded", f"0x{funded.hex()}"]
    if unsafe_synchronous is not None:
        options += ["--unsafe-synchronous", unsafe_synchronous]
    return options
