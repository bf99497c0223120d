"""JSON-RPC over HTTP on a loopback address: one POST, one answer, nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from ledger_service.chain.embedded.envelope import answer_body
from ledger_service.chain.embedded.listening import BACKLOG, LOOPBACK, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_CONNECTIONS: Final = 128
IDLE_S: Final = 75.0


class RpcServer(ThreadingHTTPServer):
    """Serves `answer` with a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def __init__(self, listening: socket.socket, answer: Callable[[str, Sequence[object]], Any]) -> None:
        """Serve on a socket that listens already. Requests are accepted once `serve_forever` runs."""
        self.address_family = listening.family
        super().__init__(listening.getsockname()[:2], _Exchange, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = listening.getsockname()[:2]
        self.answer = answer
        # A page in a browser can be pointed at a loopback address under a name of its own (DNS rebinding), so on
        # loopback only loopback names are answered.
        self.host_names = LOOPBACK if self.server_address[0] in LOOPBACK else None
        self._connected: set[socket.socket] = set()
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        """Where it serves."""
        return url_of(self.socket)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it when there are too many."""
        with self._guard:
            room = len(self._connected) < MAX_CONNECTIONS
            if room:
                self._connected.add(request)
        if room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._connected.discard(request)

    def server_close(self) -> None:
        """Stop listening, and hang up on everybody: the file is about to be given back."""
        super().server_close()
        with self._guard:
            for each in self._connected:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: it is their right."""


class _Refusal(Exception):  # noqa: N818  it never leaves this module
    """An HTTP request that is not answered as JSON-RPC."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    server: RpcServer
    protocol_version = "HTTP/1.1"
    server_version = "audit-ledger"
    sys_version = ""
    timeout = IDLE_S
    # Head and body leave in one packet. Otherwise the second waits for the client's delayed acknowledgement, 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one JSON-RPC body."""
        try:
            length = self._body_length()
        except _Refusal as refusal:
            # The body is not read, so the connection cannot be used again.
            self.close_connection = True
            self._send(refusal.status, f"{refusal}\n".encode(), kind="text/plain; charset=utf-8")
            return
        body = self.rfile.read(length)
        if len(body) != length:
            self.close_connection = True
            return
        answer = answer_body(body, self.server.answer)
        self._send(HTTPStatus.OK if answer is not None else HTTPStatus.NO_CONTENT, answer or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the library's
        """Log nothing: what went wrong is in the answer, and internal errors are logged where they happen."""

    def _body_length(self) -> int:
        """Return the length of the body, or raise _Refusal."""
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self.server.host_names is not None and name.strip("[]").lower() not in self.server.host_names:
            raise _Refusal(HTTPStatus.FORBIDDEN, "this node answers under its own address only")
        # A page of another site may not send this type without asking first, and we do not answer that question.
        if self.headers.get_content_type() != "application/json":
            raise _Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is required")
        if int(length) > MAX_BODY_BYTES:
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
        return int(length)

    def _send(self, status: HTTPStatus, body: bytes, *, kind: str = "application/json") -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
