"""Kills a node of the embedded chain at random moments and looks whether anything that was visible is gone.

A node imports py-evm for seconds, so one process imports it once and forks a node for each round: hundreds of kills
fit into minutes. Its clock runs fast, so that a block is being stored at any moment and most kills fall into one.

`python -m tests.support.chain_kills FOLDER` is that process; it forks a node for each line on its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.checks import check_chain
from ledger_service.chain.embedded.formats import format_receipt
from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.node import NodeReady, run_node
from ledger_service.chain.embedded.store import ChainFile
from tests.support.embedded_chain import PROBE_CREATION, Sender
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    import random

ROOT: Final = Path(__file__).parents[2]
START: Final = datetime(2026, 11, 22, tzinfo=UTC)
# One second of ours is this many of the chain's, so that blocks follow each other without a pause.
SPEED: Final = 1_000
LONGEST_LIFE_S: Final = 0.8


@dataclass(frozen=True, slots=True)
class FastClock:
    """A clock that counts from START since `began` (a reading of the monotonic clock), SPEED times as fast."""

    began: float

    def now(self) -> datetime:
        """The time it pretends."""
        return START + timedelta(seconds=(time.monotonic() - self.began) * SPEED)


@dataclass
class KillReport:
    """What the rounds did and found. `lost` names what was visible before a kill and is not the same after it."""

    rounds: int = 0
    killed_while_starting: int = 0
    blocks: int = 0
    receipts_seen: int = 0
    lost: list[str] = field(default_factory=list)
    visible: dict[str, Any] = field(default_factory=dict, repr=False)
    height: int = 0

    def summary(self) -> dict[str, Any]:
        """The numbers."""
        return {
            "rounds": self.rounds,
            "killed_while_starting": self.killed_while_starting,
            "blocks": self.blocks,
            "receipts_seen": self.receipts_seen,
            "lost": self.lost,
        }


def run_kills(folder: Path, *, rounds: int, rng: random.Random) -> KillReport:
    """Kill a node `rounds` times; after each kill check the whole chain and everything that was visible before."""
    report = KillReport()
    path = folder / "chain.sqlite"
    arguments: list[str | Path] = [sys.executable, "-m", __name__, folder]
    with ChildProcess.start(
        arguments, working_directory=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as nursery:
        for _ in range(rounds):
            _one_life(nursery, report, rng)
            _inspect(path, report)
            report.rounds += 1
    return report


def _one_life(nursery: ChildProcess, report: KillReport, rng: random.Random) -> None:
    """Start a node, use it, and kill it at a random moment."""
    pid = int(_said(nursery, "go")["pid"])
    # A few are killed before they serve; the first ones while block 0 is being made.
    after_s = rng.uniform(0, 0.1) if rng.random() < 0.2 else rng.uniform(0, LONGEST_LIFE_S)
    timer = threading.Timer(after_s, os.kill, (pid, signal.SIGKILL))
    timer.start()
    ready = _said(nursery)
    if ready["url"]:
        with contextlib.suppress(requests.RequestException):
            _use(ready["url"], Path(ready["key"]), report)
    else:
        report.killed_while_starting += 1
    timer.join()
    assert _said(nursery) == {"gone": pid}


def _use(url: str, key_file: Path, report: KillReport) -> None:
    """Send transactions without a pause and note every receipt that becomes visible, until the node is gone."""
    session = requests.Session()

    def ask(method: str, *params: object) -> Any:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return session.post(url, json=body, timeout=10).json().get("result")

    for tx_hash, receipt in list(report.visible.items())[-20:]:
        if ask("eth_getTransactionReceipt", tx_hash) != receipt:
            report.lost.append(f"served differently: {tx_hash}")
    key = load_funded_key(key_file)
    address = f"0x{key.public_key.to_canonical_address().hex()}"
    nonce = int(ask("eth_getTransactionCount", address, "latest"), 16)
    sender = Sender(int(ask("eth_chainId"), 16), key.to_bytes(), nonce)
    while True:
        sent = [
            ask("eth_sendRawTransaction", f"0x{sender.sign(data=PROBE_CREATION).hex()}") for _ in range(2)
        ]
        for tx_hash in filter(None, sent):
            receipt = ask("eth_getTransactionReceipt", tx_hash)
            while receipt is None:
                receipt = ask("eth_getTransactionReceipt", tx_hash)
            report.visible[tx_hash] = receipt
            report.height = max(report.height, int(receipt["blockNumber"], 16))


def _inspect(path: Path, report: KillReport) -> None:
    """Open the file as a restarted node would, check all of it, and look for everything that was visible."""
    file = ChainFile.open(path)
    try:
        if file.identity is None:
            if report.visible:
                report.lost.append("the whole chain")
            return
        report.blocks = check_chain(file).blocks
        report.receipts_seen = len(report.visible)
        if report.blocks <= report.height:
            report.lost.append(f"blocks after {report.blocks - 1}: {report.height} was visible")
        chain = EmbeddedChain(file)
        for tx_hash, receipt in report.visible.items():
            found = chain.receipt(bytes.fromhex(tx_hash[2:]))
            if found is None or format_receipt(found) != receipt:
                report.lost.append(tx_hash)
    finally:
        file.close()


def _said(nursery: ChildProcess, *words: str) -> dict[str, Any]:
    """The next line of the nursery, after telling it something."""
    assert nursery.popen.stdin is not None
    assert nursery.popen.stdout is not None
    for word in words:
        nursery.popen.stdin.write(f"{word}\n")
        nursery.popen.stdin.flush()
    said: dict[str, Any] = json.loads(nursery.popen.stdout.readline())
    return said


def _tell(words: dict[str, Any]) -> None:
    # One write of one short line, so that lines of the nursery and of its nodes never mix.
    os.write(sys.stdout.fileno(), f"{json.dumps(words)}\n".encode())


def _nurse(folder: Path) -> None:
    """Fork a node for each line; tell its process id, what it says when it serves, and reap it when it is gone."""
    clock = FastClock(time.monotonic())
    path = folder / "chain.sqlite"
    for _ in sys.stdin:
        served, serving = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(served)

            def ready(said: NodeReady, handle: int = serving) -> None:
                words = {"url": said.url, "key": str(path.with_suffix(".key"))}
                os.write(handle, f"{json.dumps(words)}\n".encode())

            run_node(path=path, clock=clock, port=0, batch_s=0.0, ready=ready)
            os._exit(0)
        os.close(serving)
        _tell({"pid": pid})
        with os.fdopen(served) as pipe:
            line = pipe.readline()
            _tell(json.loads(line) if line.endswith("\n") else {"url": None})
        os.waitpid(pid, 0)
        _tell({"gone": pid})


if __name__ == "__main__":
    _nurse(Path(sys.argv[1]))
