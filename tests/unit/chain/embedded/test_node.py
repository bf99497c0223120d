"""A node in one process: opened, used, closed, and opened again."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.node import EmbeddedChainNode, NodeReady, default_key_file, run_node
from ledger_service.chain.embedded.store import ChainFile
from ledger_service.errors import ChainFileError, InjectedFaultError, KeyFileError
from ledger_service.storage import failpoints
from tests.support.embedded_chain import SECRET, Sender, SettableClock
from tests.support.json_rpc import JsonRpc

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_new_is_made_and_found_again(tmp_path: Path) -> None:
    """The first opening makes key and chain, the next finds both; another's key is refused."""
    path = tmp_path / "chain.sqlite"
    first = EmbeddedChainNode.open(path=path, clock=SettableClock(), port=0)
    said = first.ready
    first.close()
    assert default_key_file(path).exists()
    again = EmbeddedChainNode.open(path=path, clock=SettableClock(), port=0, key_file=default_key_file(path))
    assert (again.ready.chain_id, again.ready.genesis_hash) == (said.chain_id, said.genesis_hash)
    again.close()
    with pytest.raises(ChainFileError, match="was made for"):
        EmbeddedChainNode.open(path=path, clock=SettableClock(), port=0, funded=b"\x07" * 20)
    ChainFile.open(path).close()


def test_a_bad_key_makes_no_chain(tmp_path: Path) -> None:
    """When the key cannot be used, no chain is made for it, and the file is given back."""
    key = tmp_path / "chain.key"
    key.write_text("0x1234")
    key.chmod(0o600)
    path = tmp_path / "chain.sqlite"
    with pytest.raises(KeyFileError):
        EmbeddedChainNode.open(path=path, clock=SettableClock(), port=0)
    file = ChainFile.open(path)
    assert file.identity is None
    file.close()


def test_closing_hangs_up(tmp_path: Path) -> None:
    """A client with an open connection is hung up on, instead of being answered from a closed file."""
    node = EmbeddedChainNode.open(path=tmp_path / "chain.sqlite", clock=SettableClock(), port=0)
    connection = http.client.HTTPConnection(node.ready.url.removeprefix("http://"), timeout=20)
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    connection.request("POST", "/", body, {"Content-Type": "application/json"})
    assert connection.getresponse().read()
    node.close()
    assert connection.sock.recv(1) == b""
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the node after it has served, with the file given back."""
    said: list[NodeReady] = []

    def ready(words: NodeReady) -> None:
        said.append(words)
        assert JsonRpc(words.url).number("eth_blockNumber") == 0
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    others = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    run_node(path=tmp_path / "chain.sqlite", clock=SettableClock(), port=0, ready=ready)
    for each, handler in others.items():
        signal.signal(each, handler)
    assert signal.getsignal(number) == before
    assert len(said) == 1
    ChainFile.open(tmp_path / "chain.sqlite").close()


def test_a_failed_write_ends_it(tmp_path: Path) -> None:
    """When a block's outcome is unknown the node ends and says why; what was sent meanwhile is not acknowledged."""
    clock = SettableClock()
    path = tmp_path / "chain.sqlite"
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    EmbeddedChainNode.open(path=path, clock=clock, port=0, funded=Sender(1, SECRET).address).close()

    def ready(words: NodeReady) -> None:
        clock.advance(5)
        failpoints.arm("chain.block=fail")
        raw = Sender(words.chain_id, SECRET).sign(to=b"\x01" * 20)
        JsonRpc(words.url).call("eth_sendRawTransaction", f"0x{raw.hex()}")

    with pytest.raises(InjectedFaultError):
        run_node(path=path, clock=clock, port=0, ready=ready, stop=threading.Event())
    failpoints.disarm()
    for each, handler in handlers.items():
        signal.signal(each, handler)
    file = ChainFile.open(path)
    assert file.ask("SELECT count(*) FROM entries WHERE key=CAST('block-number-to-hash:1' AS BLOB)") == [(0,)]
    file.close()
