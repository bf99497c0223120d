"""Marked strings in private fields are found nowhere, and after an erasure they cannot be got back."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING

from ledger_service.storage.filesystem import make_directory
from tests.support.canaries import Canaries, files_of, read_held, recover
from tests.support.http_ledger import HttpLedger

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.postgres import PostgresCluster

COUNT = 600


def test_marks_are_found_nowhere_and_the_erased_do_not_come_back(tmp_path: Path, rng: Random) -> None:
    """SQLite: no file, log line or error body has a mark; the erased are gone from every page, live and restored."""
    canaries = Canaries(rng)
    backup = tmp_path / "backup.db"
    with HttpLedger(tmp_path, LOG_LEVEL="debug") as ledger:
        canaries.send(ledger, COUNT)
        erased, kept = canaries.buyers[:8], canaries.buyers[8:12]
        lost, live = read_held(ledger, erased), read_held(ledger, kept)
        ledger.stop()
        shutil.copy(ledger.data / "ledger.db", backup)
        assert recover(ledger, lost, files_of(ledger.data)) != []
        ledger.start()
        assert set(canaries.erase(ledger, erased)) == {"overwritten"}
        seen = [*files_of(tmp_path), *(("error body", body) for body in canaries.errors)]
        assert [place for name, content in seen for place in canaries.find(name, content)] == []
        assert recover(ledger, lost, files_of(ledger.data)) == []
        assert len(recover(ledger, live, files_of(ledger.data))) >= 3 * len(live)
        ledger.stop()
        for path in ledger.data.glob("ledger.db*"):
            path.unlink()
        shutil.copy(backup, ledger.data / "ledger.db")
        assert recover(ledger, lost, files_of(ledger.data)) != []
        ledger.start(ready=False)
        for each in lost:
            record = base64.urlsafe_b64encode(each.record).decode().rstrip("=")
            assert ledger.get(f"/v1/records/{record}/payload", key=ledger.key).status == 410
        assert recover(ledger, lost, files_of(ledger.data)) == []


def test_on_a_server_the_next_key_ends_it(
    tmp_path: Path, rng: Random, postgres_cluster: PostgresCluster
) -> None:
    """PostgreSQL: no file of the server has a mark; once the key-encryption key was rotated no erased key opens."""
    canaries = Canaries(rng)
    url = postgres_cluster.create_database()
    make_directory(tmp_path / "ledger")
    with HttpLedger(tmp_path / "ledger", LOG_LEVEL="debug", DATABASE_URL=url) as ledger:
        canaries.send(ledger, COUNT)
        erased = canaries.buyers[:8]
        lost = read_held(ledger, erased)
        assert set(canaries.erase(ledger, erased)) == {"vacuumed"}
        ledger.command("kek", "rotate")
        ledger.command("kek", "retire")
        postgres_cluster.checkpoint()
        places = (tmp_path, postgres_cluster.directory / "data")
        seen = [*files_of(*places), *(("error body", body) for body in canaries.errors)]
        assert [place for name, content in seen for place in canaries.find(name, content)] == []
        keys = [each for each in recover(ledger, lost, files_of(*places)) if each.endswith("a key")]
        assert keys == []
        ledger.stop()
    postgres_cluster.drop_database(url)
