"""A file of rows sent by the command while its connection is cut and the service is killed."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.http_ledger import COMMAND, HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_BAD = (b"{", b'{"order_number":"x"}', b"[]", b"", b"\xff")


@dataclass(frozen=True, slots=True)
class BulkRun:
    """What came of one run. `peaks_mb` has the greatest resident size (VmHWM) of each server process by its name."""

    rows: int
    bad: frozenset[int]
    told: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    size: int
    cuts: int
    kills: int
    took_s: float
    peaks_mb: Mapping[str, float]

    def check(self) -> None:
        """Raise AssertionError unless exactly the good rows exist, each once, and each bad one was named."""
        assert [line["row"] for line in self.told] == list(range(1, self.rows + 1))
        ids = [line["id"] for line in self.told if "id" in line]
        assert len(ids) == len(set(ids)) == self.rows - len(self.bad)
        assert {line["row"] for line in self.told if "id" not in line} == self.bad
        assert [line["line"] for line in self.errors] == sorted(self.bad)
        # The log has its opening entry, and one for each good row: none twice, since each has another id.
        assert self.size == len(ids) + 1


class Cutter:
    """Forwards TCP to the service, and cuts the connection that has sent enough."""

    def __init__(self, port: int, *, cut_after: list[int]) -> None:
        """Cut one connection after each of these numbers of bytes; then cut no more."""
        self._target = port
        self._cut_after = cut_after
        self.cuts = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(ours,), daemon=True).start()

    def _forward(self, ours: socket.socket) -> None:
        try:
            theirs = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            ours.close()
            return
        back = threading.Thread(target=_pump, args=(theirs, ours), daemon=True)
        back.start()
        passed = 0
        with suppress(OSError):
            while data := ours.recv(65_536):
                passed += len(data)
                theirs.sendall(data)
                if self._cut_after and passed > self._cut_after[0]:
                    self._cut_after.pop(0)
                    self.cuts += 1
                    break
        for each in (theirs, ours):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        back.join()
        ours.close()
        theirs.close()

    def __enter__(self) -> Self:
        """It forwards already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more connections."""
        self._server.close()


def run_bulk(folder: Path, *, rows: int, seed: int, cuts: list[int]) -> BulkRun:
    """Send `rows` rows, one in a hundred bad, through a connection that is cut after each of `cuts` bytes.

    When some rows are confirmed the service is killed with SIGKILL, and started again.
    """
    draw = random.Random(seed)
    bad = frozenset(draw.sample(range(1, rows + 1), max(1, rows // 100)))
    source = folder / "rows.ndjson"
    with source.open("wb") as file:
        for number in range(1, rows + 1):
            good = purchase(f"n{number}", buyer=f"customer-{draw.randint(1, rows)}")
            file.write((draw.choice(_BAD) if number in bad else json.dumps(good).encode()) + b"\n")
    with HttpLedger(folder) as ledger, Cutter(ledger.port, cut_after=list(cuts)) as cutter:
        key_file = folder / "shop.key"
        key_file.write_text(ledger.key)
        told_path = folder / "told.ndjson"
        began = time.monotonic()
        arguments = ["record", "shop", "--from", str(source), "--key-file", str(key_file), "--json"]
        with told_path.open("wb") as told:
            sending = subprocess.Popen(
                [COMMAND, *arguments, "--url", f"http://127.0.0.1:{cutter.port}"],
                env=ledger.environment,
                stdout=told,
            )
        until(lambda: True if cutter.cuts == len(cuts) and log_size(ledger) > 1 else None, timeout_s=300)
        peaks = _peaks_mb(ledger)
        ledger.kill()
        ledger.start()
        while sending.poll() is None:
            peaks = {name: max(size, peaks.get(name, 0)) for name, size in _peaks_mb(ledger).items()}
            threading.Event().wait(0.2)
        took_s = time.monotonic() - began
        assert sending.returncode == 1, ledger.log()[-2_000:]
        errors = source.with_name("rows.ndjson.errors.ndjson").read_bytes().splitlines()
        return BulkRun(
            rows=rows,
            bad=bad,
            told=[json.loads(line) for line in told_path.read_bytes().splitlines()],
            errors=[json.loads(line) for line in errors],
            size=log_size(ledger),
            cuts=cutter.cuts,
            kills=1,
            took_s=took_s,
            peaks_mb=peaks,
        )


def log_size(ledger: HttpLedger) -> int:
    """How many entries the log has; 0 while nobody answers."""
    try:
        return int(ledger.get("/v1/logs/shop/purchases").json["size"])
    except (OSError, KeyError, ValueError):
        return 0


def _peaks_mb(ledger: HttpLedger) -> dict[str, float]:
    """VmHWM of every process that `serve` has started, itself included, by its number of the same kind."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, float]] = {}
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, KeyError, IndexError):
            status = dict(
                line.split(":", 1) for line in (each / "status").read_text().splitlines() if ":" in line
            )
            words = (each / "cmdline").read_bytes().decode().split("\x00")
            kinds = (
                "serve",
                "ledger_service.chain.embedded",
                "api:create_app()",
                "resource_tracker",
                "forkserver",
            )
            name = next((kind for kind in kinds if any(kind in word for word in words)), "other")
            parents[int(each.name)] = int(status["PPid"])
            found[int(each.name)] = (name, int(status["VmHWM"].split()[0]) / 1024)
    mine = {ledger.pid}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    peaks: dict[str, float] = {}
    for pid in sorted(mine & found.keys()):
        name, size = found[pid]
        peaks[f"{name} {sum(each.startswith(name) for each in peaks) + 1}"] = size
    return peaks


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
