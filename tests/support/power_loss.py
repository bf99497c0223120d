"""Cuts the power under a writing program at a random moment, and looks at what the disk still holds.

One `Disk` suffers several cuts in a row, so that recovery is cut short as well. Whatever was acknowledged
before a cut must be there after every later one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from sqlalchemy import select

from ledger_service.storage.engine import Database
from ledger_service.storage.sqlite import find_driver
from tests.support.lossy_fs import LossyMount
from tests.support.power_loss_writer import KEPT, chain_path, database_url, expected_content
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random
    from types import TracebackType

_REPOSITORY = Path(__file__).parents[2]
# A writer whose disk fails has to stop by itself: any I/O error is fatal.
_STOP_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What one power cut did: acknowledgments so far, those of them that are gone, and what else is wrong."""

    acknowledged: int
    lost: int
    findings: tuple[str, ...]
    torn: bool


class Workload(Protocol):
    """Something that writes, and the question whether it all is still there."""

    name: str

    def inspect(self, directory: Path, acknowledged: Sequence[str]) -> tuple[list[str], list[str]]:
        """Open what survived, as a restarted program would; return what is lost and what is wrong."""


@dataclass
class Disk:
    """A disk that suffers power cuts, and everything that was ever acknowledged on it."""

    workload: Workload
    rng: Random
    unsafe: str | None = None
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ledger-power-")))
    acknowledged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the backing directory and the mount point."""
        self.backing.mkdir()
        self.mount_point.mkdir()

    @property
    def backing(self) -> Path:
        """What survives."""
        return self.directory / "backing"

    @property
    def mount_point(self) -> Path:
        """What programs see."""
        return self.directory / "disk"

    def suffer(self, *, most_acknowledgments: int) -> Aftermath:
        """Start the writer, cut its power after a random number of acknowledgments, inspect what is left."""
        torn = self.rng.random() < 0.5
        after = self.rng.randint(1, most_acknowledgments)
        findings: list[str] = []
        with LossyMount.mount(self.backing, self.mount_point) as mount, self._start_writer() as writer:
            output = writer.popen.stdout
            assert output is not None
            first = output.readline().strip()
            if first != "ready":
                return Aftermath(len(self.acknowledged), 0, (f"the writer did not start: {first!r}",), torn)
            if self.unsafe:
                # What an unsafe setting loses shall be what it acknowledged, not how the writer began.
                mount.sync_all()
            for _ in range(after):
                self.acknowledged.append(output.readline().strip())
            mount.cut_power(tear_seed=self.rng.getrandbits(32) if torn else None)
            limit = threading.Timer(_STOP_LIMIT_S, writer.kill)
            limit.start()
            # What the writer still acknowledges counts: it was told that its disk is gone.
            self.acknowledged.extend(line.strip() for line in output if line.endswith("\n"))
            if limit.finished.is_set():
                findings.append("the writer went on after its disk had failed")
            limit.cancel()
        if "" in self.acknowledged:
            findings.append("the writer stopped before the power was cut")
            self.acknowledged = [line for line in self.acknowledged if line]
        lost, wrong = self.workload.inspect(self.backing, self.acknowledged)
        return Aftermath(len(self.acknowledged), len(lost), tuple(findings + wrong), torn)

    def _start_writer(self) -> ChildProcess:
        return ChildProcess.start(
            [
                *(sys.executable, "-m", "tests.support.power_loss_writer"),
                *(self.workload.name, self.mount_point, str(self.rng.getrandbits(32))),
                *([self.unsafe] if self.unsafe else []),
            ],
            working_directory=_REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        """The disk."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Throw the disk away."""
        shutil.rmtree(self.directory, ignore_errors=True)


class StorageWorkload:
    """Rows through the storage engine."""

    name = "storage"

    def inspect(self, directory: Path, acknowledged: Sequence[str]) -> tuple[list[str], list[str]]:
        """Every acknowledged row is there with its content, no row is half there, and the file is sound."""
        database = Database.open(database_url(directory))
        try:
            with database.read() as connection:
                rows = {number: bytes(content) for number, content in connection.execute(select(KEPT))}
        finally:
            database.close()
        lost = [number for number in acknowledged if int(number) not in rows]
        wrong = [f"row {number} is damaged" for number in rows if rows[number] != expected_content(number)]
        if sorted(rows) != list(range(1, len(rows) + 1)):
            wrong.append("rows are missing in between")
        connection = find_driver().connect(str(directory / "ledger.db"))
        try:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        finally:
            connection.close()
        return lost, wrong + [line for line in said if line != "ok"]


class ChainWorkload:
    """Transactions on the embedded chain."""

    name = "chain"

    def inspect(self, directory: Path, acknowledged: Sequence[str]) -> tuple[list[str], list[str]]:
        """The chain opens on a whole block, all of it checks, each acknowledged receipt is in its block."""
        path = chain_path(directory)
        check = subprocess.run(
            [sys.executable, "-m", "ledger_service.chain.embedded", "--path", path, "--check"],
            cwd=_REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if check.returncode != 0:
            return [], [f"the chain does not check: {check.stderr.strip()[-300:]}"]
        found = json.loads(check.stdout)
        receipts = _receipts(path, [line.split()[0] for line in acknowledged])
        lost = [line for line in acknowledged if receipts.get(line.split()[0]) != line.split()[1]]
        wrong = [] if found["transactions"] >= len(acknowledged) - len(lost) else ["transactions are missing"]
        return lost, wrong


def _receipts(path: Path, hashes: Sequence[str]) -> dict[str, str]:
    """The block hash of each transaction that a reopened chain knows."""
    from ledger_service.chain.embedded.chain import EmbeddedChain  # noqa: PLC0415 - loads py-evm
    from ledger_service.chain.embedded.store import ChainFile  # noqa: PLC0415 - loads py-evm

    file = ChainFile.open(path)
    try:
        chain = EmbeddedChain(file)
        found = {each: chain.transaction(bytes.fromhex(each[2:])) for each in hashes}
        return {each: f"0x{place.header.hash.hex()}" for each, place in found.items() if place is not None}
    finally:
        file.close()
