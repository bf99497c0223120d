"""A proxy between the service and a node that loses requests and answers, holds them back, or changes them.

It is a real HTTP server on loopback: the client under test sees closed connections and timeouts, not raised
mocks.
"""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Fault(StrEnum):
    """What happens to one request."""

    LOSE_REQUEST = "the node never sees it"
    LOSE_ANSWER = "the node does it, and the connection closes"
    HOLD_ANSWER = "the node does it, and nothing comes back until the proxy stops"
    GARBLE_ANSWER = "the node does it, and the answer is no JSON"
    FAIL_GATEWAY = "the node never sees it, and a gateway answers 502"


class FaultProxy:
    """Forwards JSON-RPC to a node. `fault` says what becomes of the next requests of a method."""

    def __init__(self, target: str) -> None:
        """Listen on a free port of loopback."""
        self._target = target
        self._lock = threading.Lock()
        self._faults: dict[str, list[Fault]] = {}
        self._changes: dict[str, Callable[[Any], Any]] = {}
        self._intercept: Callable[[Any], Any] | None = None
        self._stopped = threading.Event()
        self.seen: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes; without this each answer waits for the other side's delayed ACK.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy._serve(self, body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, method: str, *faults: Fault) -> None:
        """Let the next requests of a method meet these faults, one each; later ones pass."""
        with self._lock:
            self._faults.setdefault(method, []).extend(faults)

    def calm(self) -> None:
        """Forget the faults that no request has met yet."""
        with self._lock:
            self._faults.clear()

    def change(self, method: str, change: Callable[[Any], Any] | None) -> None:
        """Answer requests of a method with what `change` makes of the node's answer, until told otherwise."""
        with self._lock:
            if change is None:
                self._changes.pop(method, None)
            else:
                self._changes[method] = change

    def answer_for(self, intercept: Callable[[Any], Any] | None) -> None:
        """Let `intercept` see each request first; what it returns is the answer, None leaves it to the node."""
        with self._lock:
            self._intercept = intercept

    def point_to(self, target: str) -> None:
        """Forward to another node from now on."""
        with self._lock:
            self._target = target

    def stop(self) -> None:
        """Let go of what is held and close the port."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """The running proxy."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever happened inside."""
        self.stop()

    def _serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        request = json.loads(body)
        method = request["method"]
        with self._lock:
            self.seen[method] += 1
            waiting = self._faults.get(method)
            fault = waiting.pop(0) if waiting else None
            change = self._changes.get(method)
            target, intercept = self._target, self._intercept
        said = None if intercept is None else intercept(request)
        if said is not None:
            _answer(handler, json.dumps({"jsonrpc": "2.0", "id": request["id"], **said}).encode())
            return
        if fault is Fault.LOSE_REQUEST:
            _hang_up(handler)
            return
        if fault is Fault.FAIL_GATEWAY:
            _answer(handler, b"bad gateway", status=502)
            return
        try:
            answer = _forward(target, body)
        except OSError:
            _hang_up(handler)
            return
        if fault is Fault.HOLD_ANSWER:
            self._stopped.wait()
        if fault in {Fault.LOSE_ANSWER, Fault.HOLD_ANSWER}:
            _hang_up(handler)
            return
        if fault is Fault.GARBLE_ANSWER:
            answer = answer[: len(answer) // 2]
        elif change is not None:
            answer = json.dumps(change(json.loads(answer))).encode()
        _answer(handler, answer)


def _forward(target: str, body: bytes) -> bytes:
    request = urllib.request.Request(target, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return bytes(response.read())


def _answer(handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200) -> None:
    # The client may have given up: that is what some tests are about.
    with suppress(OSError):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
