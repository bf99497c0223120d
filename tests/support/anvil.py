"""Anvil, a real EVM node by somebody else, as a child process on loopback.

The binary comes with the npm platform package; elsewhere one on the PATH serves.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.json_rpc import JsonRpc
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

_NPM = Path(__file__).parents[2] / "node_modules" / "@foundry-rs"
_LISTENING = "Listening on "

# The first accounts of the mnemonic that every Anvil starts with: known to all, worth nothing.
FUNDED_KEYS = (
    bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    bytes.fromhex("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
)


def foundry_program(name: str) -> Path:
    """The path of `anvil`, `cast` or `forge`; fails with what to install when there is none."""
    for packaged in sorted(_NPM.glob(f"{name}-*/bin/{name}")):
        return packaged
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is missing: run `npm ci`, or put a Foundry installation on the PATH")
    return Path(found)


@dataclass
class Anvil:
    """One running node. Its chain lives in memory and ends with it."""

    process: ChildProcess
    url: str

    @classmethod
    def start(
        cls,
        *,
        chain_id: int = 31337,
        block_time_s: int | None = None,
        mining: str = "instant",
        port: int = 0,
        options: Sequence[str] = (),
    ) -> Self:
        """Start a node: `mining` is `instant` (a block per transaction) or `manual` (`mine` makes blocks).

        With `block_time_s` blocks come at that interval instead. Port 0 takes any free one; naming one
        lets another chain appear at an address that is already known.
        """
        arguments: list[str | Path] = [
            foundry_program("anvil"),
            "--port",
            str(port),
            "--chain-id",
            str(chain_id),
        ]
        if block_time_s is not None:
            arguments += ["--block-time", str(block_time_s)]
        elif mining == "manual":
            arguments += ["--no-mining"]
        elif mining != "instant":
            raise ValueError(f"mining is instant or manual, not {mining}")
        process = ChildProcess.start([*arguments, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            address = _read_address(process)
        except BaseException:
            process.stop()
            raise
        return cls(process, f"http://{address}")

    @property
    def port(self) -> int:
        """The TCP port on loopback."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def rpc(self) -> JsonRpc:
        """The node's JSON-RPC."""
        return JsonRpc(self.url)

    def mine(self, blocks: int = 1) -> None:
        """Make that many blocks now."""
        self.rpc.call("anvil_mine", hex(blocks))

    def reorganize(self, depth: int) -> None:
        """Replace the newest `depth` blocks with as many empty ones; their transactions are gone."""
        self.rpc.call("anvil_reorg", depth, [])

    def stop(self) -> None:
        """End the node."""
        self.process.stop()

    def __enter__(self) -> Self:
        """The running node."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever happened inside."""
        self.stop()


def _read_address(process: ChildProcess) -> str:
    """Anvil's own line about where it listens; a thread keeps emptying the pipe after it."""
    output = process.popen.stdout
    assert output is not None
    said: list[str] = []
    for line in output:
        said.append(line)
        if line.startswith(_LISTENING):
            threading.Thread(target=_drain, args=(output,), daemon=True).start()
            return line.removeprefix(_LISTENING).strip()
    raise RuntimeError("Anvil did not start: " + "".join(said[-20:]))


def _drain(output: Iterable[str]) -> None:
    """Read a pipe to its end, so that the writer never waits."""
    try:
        for _ in output:
            pass
    except ValueError:
        return  # The pipe was closed under the reader: the node was stopped.
