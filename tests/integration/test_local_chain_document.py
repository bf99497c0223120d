"""The page about the local chain is run as it stands: every bash block, in order, in one shell."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.genesis import CHAIN_IDS, FIRST_CHAIN_ID
from ledger_service.chain.embedded.miner import Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.chain.embedded.rpc import RpcMethods
from tests.support.anvil import foundry_program
from tests.support.embedded_chain import ChainBench
from tests.support.processes import ChildProcess

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "hardhat-free-local-chain.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a shell says that runs all blocks, with two free ports in place of the page's."""
    assert foundry_program("cast").exists()
    assert foundry_program("anvil").exists()
    script = "set -eu -o pipefail\n" + "\n".join(BLOCK.findall(PAGE)) + "\necho the end\n"
    for port in ("8545", "8546"):
        script = script.replace(port, free_port())
    output = tmp_path_factory.mktemp("page") / "output.txt"
    with (
        output.open("w") as heard,
        ChildProcess.start(
            ["bash", "-c", script],
            environment={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            working_directory=ROOT,
            stdout=heard,
            stderr=heard,
        ) as shell,
    ):
        code = shell.wait(timeout_s=240)
    text = output.read_text(encoding="utf-8")
    assert code == 0, text
    return text


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_every_block_runs(said: str) -> None:
    """All commands of the page succeed, down to the last."""
    assert len(BLOCK.findall(PAGE)) == 10
    assert said.endswith("the end\n")


@pytest.mark.parametrize(
    "words",
    [
        '"genesis_hash": "0x', '"result":{"number":"0x0"', "1000000000.000000000000000000", "9007199254740991",
        "execution reverted", "ledger.example/logs/shop/purchases 0n", '"blocks": 3',
    ],
)  # fmt: skip
def test_the_tools_say_what_the_page_promises(said: str, words: str) -> None:
    """With curl, cast, ethers, web3.py and the check one sees what the chain holds."""
    assert words in said


def test_the_page_lists_the_methods(tmp_path: Path) -> None:
    """The page names exactly the methods that exist."""
    bench = ChainBench.create(tmp_path / "chain.sqlite")
    pool = PendingPool(bench.chain)
    names = RpcMethods(bench.chain, pool, Miner(bench.chain, pool, bench.clock)).names
    listed = PAGE.partition("## Methods")[2].partition("`\n")[0]
    assert set(re.findall(r"\b(?:eth|net|web3)_\w+", listed)) == names
    bench.file.close()


def test_the_page_names_the_numbers_of_the_code(tmp_path: Path) -> None:
    """The range of chain ids and the gas limit are those that chains are made with."""
    assert f"{FIRST_CHAIN_ID} to {FIRST_CHAIN_ID + CHAIN_IDS - 1}" in PAGE
    bench = ChainBench.create(tmp_path / "chain.sqlite")
    assert f"{EmbeddedChain(bench.file).head().gas_limit:,}" in PAGE
    bench.file.close()
