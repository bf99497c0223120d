"""Everything that is not a result becomes an error of ours, within the time allowed."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.rpc import JsonRpc
from ledger_service.errors import ChainRefusedError, ChainUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server that says these pieces to every request, with a pause after each."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            with suppress(OSError):
                talking, _ = listening.accept()
                with talking:
                    _say(talking, pieces, pause_s=pause_s, done=done)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        done.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _say(talking: socket.socket, pieces: Sequence[bytes], *, pause_s: float, done: threading.Event) -> None:
    talking.recv(65536)
    for piece in pieces:
        talking.sendall(piece)
        if pause_s and done.wait(pause_s):
            return


def http(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def test_a_result_is_returned() -> None:
    """The result of an answer is what is asked for."""
    with answering(http(b'{"jsonrpc":"2.0","id":0,"result":{"a":1}}')) as url:
        assert JsonRpc(url).ask("eth_x", 1, True) == {"a": 1}  # noqa: FBT003


def test_a_null_result_is_a_result() -> None:
    """Null means that there is no such thing, not that there is no answer."""
    with answering(http(b'{"jsonrpc":"2.0","id":0,"result":null}')) as url:
        assert JsonRpc(url).ask("eth_x") is None


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (
            b'{"id":0,"error":{"code":-32003,"message":"nonce too low","data":"0x01"}}',
            -32003,
            "nonce too low",
        ),
        (b'{"id":0,"error":{"code":"x"}}', 0, ""),
        (b'{"id":0,"error":"no"}', 0, "no"),
    ],
)
def test_an_error_object_is_a_refusal(body: bytes, code: int, words: str) -> None:
    """The node understood and refuses: its code and words are kept."""
    with answering(http(body)) as url, pytest.raises(ChainRefusedError) as refused:
        JsonRpc(url).ask("eth_x")
    assert (refused.value.details["rpc_code"], refused.value.details["words"]) == (code, words)


@pytest.mark.parametrize(
    "answer",
    [
        http(b""),
        http(b"<html>"),
        http(b"[]"),
        http(b'{"id":0}'),
        http(b'{"id":0,"result":1}', status="500 Oops"),
        http(b'{"id":0,"result":1}', status="401 No"),
        http(b"", status="307 Elsewhere", headers="Location: http://127.0.0.1:9/\r\n"),
        http(b'{"id":0,"result":"' + b"x" * 100)[:-50],
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        http(b"\xff\xfe{"),
    ],
    ids=[
        "empty", "html", "list", "no result", "500", "401", "redirect", "cut short", "closed", "not http",
        "bytes",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_unavailable(answer: bytes) -> None:
    """Half an answer, another protocol, a redirect or an HTTP error say nothing about the request."""
    with answering(answer) as url, pytest.raises(ChainUnavailableError):
        JsonRpc(url, timeout_s=2).ask("eth_x")


def test_nobody_there_is_unavailable() -> None:
    """A closed port is not an answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ChainUnavailableError):
        JsonRpc(f"http://127.0.0.1:{port}", timeout_s=1).ask("eth_x")


def test_silence_ends_in_time() -> None:
    """A node that takes the request and says nothing costs the time allowed and no more."""
    began = time.monotonic()
    with answering(b"", b"", pause_s=30) as url, pytest.raises(ChainUnavailableError):
        JsonRpc(url, timeout_s=0.3).ask("eth_x")
    assert time.monotonic() - began < 5


def test_an_answer_that_drips_ends_in_time() -> None:
    """A byte now and then does not keep the connection open for ever."""
    whole = http(b'{"id":0,"result":"' + b"x" * 500 + b'"}')
    pieces = [whole[:100], *(whole[n : n + 1] for n in range(100, len(whole)))]
    began = time.monotonic()
    with answering(*pieces, pause_s=0.05) as url, pytest.raises(ChainUnavailableError):
        JsonRpc(url, timeout_s=0.5).ask("eth_x")
    assert time.monotonic() - began < 5


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node cannot fill our memory."""
    monkeypatch.setattr("ledger_service.chain.rpc.MAX_ANSWER_BYTES", 1000)
    long = http(b'{"id":0,"result":"' + b"x" * 2000 + b'"}')
    with answering(long) as url, pytest.raises(ChainUnavailableError):
        JsonRpc(url).ask("eth_x")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an environment variable names stands between us and the pinned node."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(http(b'{"id":0,"result":7}')) as url:
        assert JsonRpc(url).ask("eth_x") == 7


def test_a_node_that_hangs_keeps_only_the_first_who_asks() -> None:
    """After a request without an answer the next fail at once, and later the node is asked again."""
    with answering(b"", pause_s=30) as url:
        hasty = JsonRpc(url, timeout_s=0.3, rest_s=60)
        with pytest.raises(ChainUnavailableError):
            hasty.ask("eth_chainId")
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(ChainUnavailableError, match="a moment ago"):
                hasty.ask("eth_chainId")
        assert time.monotonic() - began < 10  # asking each time would take 30 s
        hasty._resting_until = time.monotonic()
        with pytest.raises(ChainUnavailableError) as asked:
            hasty.ask("eth_chainId")
        assert asked.value.details["cause"]
