"""The HTTP side: one POST, one answer, and everything else refused before it is read."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.embedded import server as server_module
from ledger_service.chain.embedded.listening import listen
from ledger_service.chain.embedded.server import MAX_BODY_BYTES, RpcServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BODY = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "echo", "params": ["x"]})
JSON = {"Content-Type": "application/json"}


def echo(method: str, given: Sequence[object]) -> Any:
    """A server with one method."""
    return [method, *given]


@pytest.fixture
def served() -> Iterator[RpcServer]:
    """A running server."""
    server = RpcServer(listen("127.0.0.1", 0), echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def connect(server: RpcServer) -> http.client.HTTPConnection:
    """A connection to the server."""
    host, port = server.server_address[:2]
    return http.client.HTTPConnection(str(host), int(port), timeout=20)


def exchange(
    server: RpcServer, body: str | bytes = BODY, *, method: str = "POST", **headers: str
) -> tuple[int, bytes]:
    """Status and body of one exchange. Underscores in header names stand for hyphens."""
    named = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(connect(server)) as connection:
        connection.request(method, "/", body, named)
        answer = connection.getresponse()
        return (answer.status, answer.read())


def test_one_connection_serves_many_requests(served: RpcServer) -> None:
    """A connection stays open between requests."""
    connection = connect(served)
    for _ in range(3):
        connection.request("POST", "/", BODY, JSON)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["result"]) == (200, ["echo", "x"])
    connection.close()


def test_a_notification_has_no_content(served: RpcServer) -> None:
    """What needs no answer gets an empty one, and the connection goes on."""
    connection = connect(served)
    for body, status in ((json.dumps({"jsonrpc": "2.0", "method": "echo"}), 204), (BODY, 200)):
        connection.request("POST", "/", body, JSON)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_only_post_is_answered(served: RpcServer, method: str) -> None:
    """Every other method is refused, OPTIONS included: no page of another site is invited."""
    assert exchange(served, method=method)[0] == 501


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8545", "127.0.0.1.evil.example", "", "10.0.0.1", "localhost.evil.example"],
)
def test_other_names_are_refused(served: RpcServer, host: str) -> None:
    """A page that was pointed at a loopback address under its own name gets nothing."""
    assert exchange(served, Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8545", "[::1]:8545", "[::1]"])
def test_loopback_names_are_served(served: RpcServer, host: str) -> None:
    """A client may call us by any loopback name."""
    assert exchange(served, Host=host)[0] == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_only_json_is_read(served: RpcServer, kind: str) -> None:
    """A form of a web page cannot send a request: its content type is refused."""
    assert exchange(served, Content_Type=kind)[0] == 415


def test_large_bodies_are_refused_unread(served: RpcServer) -> None:
    """A body above the limit is refused by its length alone."""
    connection = connect(served)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("length", ["-1", "0x10", "1_0", "", "+5", "٣"])
def test_strange_lengths_are_refused(served: RpcServer, length: str) -> None:
    """A length that is not plain digits is refused."""
    connection = connect(served)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", length.encode())
    connection.endheaders(b"{}")
    assert connection.getresponse().status == 411
    connection.close()


def test_chunked_bodies_are_refused(served: RpcServer) -> None:
    """A body without a length is refused."""
    assert exchange(served, Transfer_Encoding="chunked")[0] == 411


def test_too_many_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a connection is closed at once, and places that become free are given again."""
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    server = RpcServer(listen("127.0.0.1", 0), echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        held = [connect(server) for _ in range(2)]
        for each in held:
            each.request("POST", "/", BODY, JSON)
            assert each.getresponse().read()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            exchange(server)
        for each in held:
            each.close()
        statuses: list[int] = []
        while not statuses:
            try:
                statuses.append(exchange(server)[0])
            except (http.client.RemoteDisconnected, ConnectionError):
                continue
        assert statuses == [200]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
