"""The attack on erased subjects, whole, on either database: what the campaign runs at large."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.canaries import Canaries, files_of, read_held, recover
from tests.support.http_ledger import HttpLedger

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.postgres import PostgresCluster


def try_sqlite(folder: Path, rng: Random, *, marks: int, count: int) -> tuple[int, ...]:
    """Marks, bytes searched, marks found, erased subjects, and what of them could be got back before and after."""
    canaries = Canaries(rng)
    home = folder / "sqlite"
    home.mkdir()
    with HttpLedger(home, LOG_LEVEL="debug") as ledger:
        canaries.send(ledger, marks)
        erased = rng.sample(canaries.buyers, count)
        lost = read_held(ledger, erased)
        ledger.stop()
        shutil.copy(ledger.data / "ledger.db", folder / "backup.db")
        before = len(recover(ledger, lost, files_of(ledger.data)))
        ledger.start()
        canaries.erase(ledger, erased)
        searched, found = _search(canaries, home)
        after = len(recover(ledger, lost, files_of(ledger.data)))
        ledger.stop()
        for path in ledger.data.glob("ledger.db*"):
            path.unlink()
        shutil.copy(folder / "backup.db", ledger.data / "ledger.db")
        ledger.start(ready=False)
        after += len(recover(ledger, lost, files_of(ledger.data)))
    return canaries.drawn, searched, found, count, before, after


def try_postgres(
    folder: Path, rng: Random, cluster: PostgresCluster, *, marks: int, count: int
) -> tuple[int, ...]:
    """Marks, bytes searched, marks found, erased subjects, and what of them could be got back before and after."""
    canaries = Canaries(rng)
    home = folder / "postgresql"
    home.mkdir()
    places = (home, cluster.directory / "data")
    with HttpLedger(home, LOG_LEVEL="debug", DATABASE_URL=cluster.create_database()) as ledger:
        canaries.send(ledger, marks)
        erased = rng.sample(canaries.buyers, count)
        lost = read_held(ledger, erased)
        cluster.checkpoint()
        before = _count_keys(recover(ledger, lost, files_of(*places)))
        canaries.erase(ledger, erased)
        ledger.command("kek", "rotate")
        ledger.command("kek", "retire")
        cluster.checkpoint()
        searched, found = _search(canaries, *places)
        after = _count_keys(recover(ledger, lost, files_of(*places)))
    return canaries.drawn, searched, found, count, before, after


def _search(canaries: Canaries, *places: Path) -> tuple[int, int]:
    seen = [*files_of(*places), *(("error body", body) for body in canaries.errors)]
    return sum(len(each) for _, each in seen), sum(len(canaries.find(name, each)) for name, each in seen)


def _count_keys(found: list[str]) -> int:
    return sum(each.endswith("a key") for each in found)
