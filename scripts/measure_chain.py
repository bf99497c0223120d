"""Measure the embedded chain: python -m scripts.measure_chain [BLOCKS] prints rows of a Markdown table."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from ledger_service.chain.embedded.node import EmbeddedChainNode
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.clock import SystemClock
from tests.support.embedded_chain import ChainBench


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    blocks: int
    blocks_per_s: float
    bytes_per_block: float
    receipt_ms: float
    slowest_receipt_ms: float
    all_logs_ms: float
    reopening_ms: float
    process_start_ms: float


def build_chain(path: Path, *, blocks: int) -> tuple[list[str], float]:
    """Make a chain of that many blocks, a log in each. Return its transactions and the blocks per second."""
    bench = ChainBench.create(path)
    probe = bench.deploy_probe()
    raws = [bench.sender.sign(to=probe, data=n.to_bytes(32, "big")) for n in range(1, blocks)]
    started = time.perf_counter()
    for raw in raws:
        bench.mine(raw)
    rate = len(raws) / (time.perf_counter() - started)
    bench.file.close()
    return [f"0x{each.hex()}" for made in bench.made for each in made.included], rate


def measure(folder: Path, *, blocks: int) -> Figures:
    """Build a chain in a folder and measure it over HTTP."""
    hashes, rate = build_chain(path := folder / "chain.sqlite", blocks=blocks)
    stored = path.stat().st_size
    started = time.perf_counter()
    node = EmbeddedChainNode.open(path=path, clock=SystemClock(), port=0)
    ask(node.ready.url, "eth_blockNumber")
    reopening = time.perf_counter() - started
    url, sample = node.ready.url, hashes[:: blocks // 200 or 1]
    receipts = [timed(url, "eth_getTransactionReceipt", each)[1] for each in sample]
    logs, logs_ms = timed(url, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    assert len(logs) == blocks - 1
    funded = node.ready.funded
    node.close()
    started = time.perf_counter()
    with EmbeddedNode(path, funded=funded):
        process = time.perf_counter() - started
    middle, slowest = statistics.median(receipts), max(receipts)
    return Figures(blocks, rate, stored / blocks, middle, slowest, logs_ms, reopening * 1e3, process * 1e3)


def timed(url: str, method: str, *params: object) -> tuple[Any, float]:
    """Return an answer and the milliseconds it took, connection and parsing included."""
    started = time.perf_counter()
    return ask(url, method, *params), (time.perf_counter() - started) * 1e3


def ask(url: str, method: str, *params: object) -> Any:
    """Return an answer of the node."""
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return requests.post(url, json=body, timeout=60).json()["result"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), blocks=int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
    for field in Figures.__slots__:
        print(f"| {field.replace('_', ' ')} | {getattr(found, field):,.1f} |")
