"""The node as a process under supervision: it starts, comes back after a crash, and never outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.embedded.exits import CONFIGURATION, FAILED
from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.node import EmbeddedChainNode
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.clock import SystemClock
from ledger_service.errors import ChainFileError, ChainUnavailableError
from tests.support.embedded_chain import Sender
from tests.support.json_rpc import JsonRpc
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULE = "ledger_service.chain.embedded"
ANYBODY = b"\x01" * 20
WAIT_S = 60.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedNode]:
    """A running node with a chain of its own."""
    with EmbeddedNode(tmp_path / "chain.sqlite") as running:
        yield running


def sender_of(path: Path, url: str) -> Sender:
    """The account that owns the money."""
    key = load_funded_key(path.with_suffix(".key"))
    rpc = JsonRpc(url)
    nonce = rpc.number(
        "eth_getTransactionCount", f"0x{key.public_key.to_canonical_address().hex()}", "latest"
    )
    return Sender(rpc.number("eth_chainId"), key.to_bytes(), nonce)


def wait_for_receipt(rpc: JsonRpc, tx_hash: str) -> Any:
    """The receipt, as soon as there is one."""
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.02)):
        found = rpc.call("eth_getTransactionReceipt", tx_hash)
        if found is not None:
            return found
        pause.wait(0.02)
    raise AssertionError(f"no receipt of {tx_hash}")


def check(path: Path) -> dict[str, int]:
    """What the whole check of a closed chain counts."""
    command = [sys.executable, "-m", MODULE, "--path", str(path), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_a_transaction_is_mined_within_a_second(node: EmbeddedNode, tmp_path: Path) -> None:
    """A started node takes a transaction and mines it; stopped and checked, the chain is whole."""
    sender = sender_of(tmp_path / "chain.sqlite", node.url)
    rpc = JsonRpc(node.url)
    tx_hash = rpc.call("eth_sendRawTransaction", f"0x{sender.sign(to=ANYBODY, value=7).hex()}")
    assert wait_for_receipt(rpc, tx_hash)["status"] == "0x1"
    assert rpc.number("eth_getBalance", f"0x{ANYBODY.hex()}", "latest") == 7
    node.stop()
    assert check(tmp_path / "chain.sqlite") == {
        "chain_id": sender.chain_id, "blocks": 2, "transactions": 1, "logs": 0,
    }  # fmt: skip


def test_a_killed_node_comes_back_at_its_address(node: EmbeddedNode, tmp_path: Path) -> None:
    """After kill -9 the node is started again, at the same URL, with the same chain and what was mined."""
    first = node.wait_ready()
    rpc = JsonRpc(node.url)
    sender = sender_of(tmp_path / "chain.sqlite", node.url)
    tx_hash = rpc.call("eth_sendRawTransaction", f"0x{sender.sign(to=ANYBODY).hex()}")
    receipt = wait_for_receipt(rpc, tx_hash)
    pid = node.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    # No waiting here: the supervisor holds the port, so the request is answered by the next child.
    assert rpc.call("eth_getTransactionReceipt", tx_hash) == receipt
    assert node.pid != pid
    assert node.wait_ready() == first
    assert (node.life.restarts, node.life.last_exit) == (1, -signal.SIGKILL)


@pytest.mark.parametrize("action", ["kill-before", "kill-after", "fail", "fail-done"])
def test_a_failing_commit_is_survived(tmp_path: Path, action: str) -> None:
    """Killed or failed at a block's commit, the node comes back whole, and the client's repetition ends mined once."""
    path = tmp_path / "chain.sqlite"
    EmbeddedChainNode.open(path=path, clock=SystemClock(), port=0).close()
    with EmbeddedNode(path, failpoints=f"chain.block={action}") as node:
        rpc = JsonRpc(node.url)
        raw = f"0x{sender_of(path, node.url).sign(to=ANYBODY, value=7).hex()}"
        tx_hash = rpc.call("eth_sendRawTransaction", raw)
        pause = threading.Event()
        while node.life.restarts == 0:
            pause.wait(0.02)
        try:
            rpc.call("eth_sendRawTransaction", raw)
        except RuntimeError as error:
            assert "already known" in str(error)  # noqa: PT017  both outcomes are right, no other is
            assert action in {"kill-after", "fail-done"}
        receipt = wait_for_receipt(rpc, tx_hash)
        assert (receipt["status"], receipt["blockNumber"]) == ("0x1", "0x1")
        assert rpc.number("eth_getBalance", f"0x{ANYBODY.hex()}", "latest") == 7
    assert check(path)["transactions"] == 1


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    """When the parent is killed without a chance to clean up, the child stops and gives the file back."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from ledger_service.chain.embedded.supervisor import EmbeddedNode\n"
        "node = EmbeddedNode(Path(sys.argv[1])); node.start(); print(node.pid, node.url, flush=True); time.sleep(600)"
    )
    path = tmp_path / "chain.sqlite"
    with ChildProcess.start(
        [sys.executable, "-c", script, path], working_directory=ROOT, stdout=subprocess.PIPE
    ) as parent:
        assert parent.popen.stdout is not None
        pid, url = parent.popen.stdout.readline().split()
        assert JsonRpc(url).number("eth_blockNumber") == 0
        parent.kill()
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.05)):
        if not Path(f"/proc/{pid}").exists():
            break
        pause.wait(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert check(path)["blocks"] == 1


def test_one_file_has_one_node(node: EmbeddedNode, tmp_path: Path) -> None:
    """A second node on the same file is refused at once and not tried again."""
    other = EmbeddedNode(tmp_path / "chain.sqlite")
    with pytest.raises(ChainFileError):
        other.start()
    assert (other.life.gave_up, other.life.last_exit, other.life.restarts) == (True, CONFIGURATION, 0)
    with pytest.raises(OSError, match="refused"):
        JsonRpc(other.url).number("eth_blockNumber")
    other.stop()
    assert JsonRpc(node.url).number("eth_blockNumber") == 0


def test_another_owner_s_chain_is_refused(tmp_path: Path) -> None:
    """A chain that was made for one key is not served to the owner of another, who could pay for nothing on it."""
    path = tmp_path / "chain.sqlite"
    with EmbeddedNode(path, funded=b"\x05" * 20) as node:
        rpc = JsonRpc(node.url)
        assert rpc.number("eth_getBalance", f"0x{'05' * 20}", "latest") == 10**27
    assert not path.with_suffix(".key").exists()
    with pytest.raises(ChainFileError), EmbeddedNode(path, key_file=tmp_path / "mine.key"):
        pass


def test_stopping_twice_is_allowed(tmp_path: Path) -> None:
    """A node that was never started, or is stopped already, can be stopped; its address is then gone."""
    node = EmbeddedNode(tmp_path / "chain.sqlite")
    node.stop()
    with node:
        url = node.url
    node.stop()
    with pytest.raises(ChainUnavailableError):
        node.url  # noqa: B018
    with pytest.raises(OSError, match="refused"):
        JsonRpc(url).number("eth_blockNumber")


def test_wrong_options_are_told_from_bad_luck(tmp_path: Path) -> None:
    """A damaged file ends the process with 78, where trying again is useless; a taken port with 70."""
    rubbish = tmp_path / "rubbish.sqlite"
    rubbish.write_bytes(b"rubbish" * 1_000)
    rubbish.chmod(0o600)
    command = [sys.executable, "-m", MODULE, "--path"]
    done = subprocess.run([*command, str(rubbish)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "bad_chain_file" in done.stderr) == (CONFIGURATION, True)
    with EmbeddedNode(tmp_path / "chain.sqlite") as node:
        port = node.url.rpartition(":")[2]
        done = subprocess.run(
            [*command, str(tmp_path / "other.sqlite"), "--port", port],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, "Address already in use" in done.stderr) == (FAILED, True)
