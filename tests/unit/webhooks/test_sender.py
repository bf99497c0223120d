"""One attempt: bounded in time and size, and blind to everything but the status."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import DeliveryError
from ledger_service.webhooks.destinations import Reach
from ledger_service.webhooks.sender import LARGEST_HEAD, Sender
from tests.support.tls import make_server_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "hook.example.com"


class OneServer:
    """Takes connections one after the other and lets a script talk."""

    def __init__(self, talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self._talk = talk
        self._tls = tls
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            connection, _ = self._socket.accept()
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.heard = connection.recv(65_536)
                self._talk(connection)
        except OSError:
            return

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._thread.join(timeout=10)


@pytest.fixture
def serve() -> Iterator[Callable[..., OneServer]]:
    """Servers of this test, closed at its end."""
    servers: list[OneServer] = []

    def start(talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> OneServer:
        servers.append(OneServer(talk, tls))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


def says(data: bytes) -> Callable[[socket.socket], None]:
    """A script that says this and ends."""
    return lambda connection: connection.sendall(data)


def post(server: OneServer, *, limit_s: float = 5.0) -> int:
    """Send an event to a server in the clear."""
    sender = Sender(Reach(unsafe_local=True), limit_s=limit_s)
    return sender.send(f"http://localhost:{server.port}/a?b=c", b"{}", headers={"webhook-id": "msg_1"})


def test_the_request_is_what_was_signed(serve: Callable[..., OneServer]) -> None:
    """Method, path with query, host, length, headers and body arrive as they were given."""
    server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert post(server) == 200
    head, _, body = server.heard.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\nHost: localhost:%d\r\n" % server.port)
    assert b"\r\nContent-Length: 2\r\n" in head
    assert head.endswith(b"\r\nwebhook-id: msg_1")
    assert body == b"{}"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.0 500\r\nA: b\r\n\r\n", 500),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 202 OK\r\n\r\nbody",
            202,
        ),
        (b"HTTP/1.1 200 OK\n\n", 200),
    ],
)
def test_the_status_is_read(serve: Callable[..., OneServer], *, answer: bytes, status: int) -> None:
    """The final status counts, after interim ones, whatever follows it."""
    assert post(serve(says(answer))) == status


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 999 No\r\n\r\n", b"\x00" * 100],
)
def test_what_is_no_answer_is_no_delivery(serve: Callable[..., OneServer], *, answer: bytes) -> None:
    """Something that does not speak HTTP is told by one neutral reason."""
    with pytest.raises(DeliveryError, match="did not answer in HTTP"):
        post(serve(says(answer)))


def test_an_answer_without_end_is_cut_off(serve: Callable[..., OneServer]) -> None:
    """A head over the limit is not read on, in one piece or in many interim ones."""
    for piece in (b"A: b\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"):
        server = serve(says(b"HTTP/1.1 100 OK\r\n" + piece * (2 * LARGEST_HEAD // len(piece))))
        with pytest.raises(DeliveryError, match=r"too large|broke"):
            post(server)


def test_one_deadline_bounds_an_attempt(serve: Callable[..., OneServer]) -> None:
    """A receiver that says a byte now and then does not hold the attempt longer than the limit."""

    def dribble(connection: socket.socket) -> None:
        pause = threading.Event()
        for byte in b"HTTP/1.1 200 OK" * 20:
            connection.sendall(bytes([byte]))
            pause.wait(0.05)

    began = time.monotonic()
    with pytest.raises(DeliveryError, match="too long"):
        post(serve(dribble), limit_s=0.5)
    assert time.monotonic() - began < 5


def test_the_certificate_must_be_the_names(serve: Callable[..., OneServer], tmp_path: Path) -> None:
    """Over TLS the name of the URL is asked for and checked, although the connection goes to an address."""
    server_tls, client_tls = make_server_tls(tmp_path, HOST)
    asked: list[str] = []
    server_tls.sni_callback = lambda _, name, __: asked.append(str(name))
    sender = Sender(Reach(unsafe_local=True), resolve=lambda *_: ["127.0.0.1"], tls=client_tls, limit_s=5)
    good = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"), server_tls)
    assert sender.send(f"https://{HOST}:{good.port}/", b"{}", headers={}) == 200
    assert asked == [HOST]
    for other, tls in ((f"not-{HOST}", client_tls), (HOST, None)):
        server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"), server_tls)
        wary = Sender(Reach(unsafe_local=True), resolve=lambda *_: ["127.0.0.1"], tls=tls, limit_s=5)
        with pytest.raises(DeliveryError, match="TLS"):
            wary.send(f"https://{other}:{server.port}/", b"{}", headers={})
        assert server.heard == b""


def test_the_next_address_is_tried(serve: Callable[..., OneServer]) -> None:
    """When the first address takes no connection the second may, both from one look-up."""
    server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["::1", "127.0.0.1"]

    sender = Sender(Reach(unsafe_local=True), resolve=resolve, limit_s=5)
    assert sender.send(f"http://localhost:{server.port}/", b"{}", headers={}) == 200
    assert len(asked) == 1
