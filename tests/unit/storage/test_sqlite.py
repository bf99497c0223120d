"""SQLite runs as promised or not at all."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pysqlite3.dbapi2
import pytest
from sqlalchemy import select, text

from ledger_service.errors import StorageBusyError, UnsafeStorageError
from ledger_service.storage import filesystem
from ledger_service.storage.engine import Database
from ledger_service.storage.sqlite import choose_journal, find_driver, prepare_file
from tests.unit.storage.notes import metadata, notes

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("version", [(3, 6, 23), (3, 51, 3), (3, 53, 4)])
def test_sound_versions_use_the_wal(version: tuple[int, int, int]) -> None:
    """A version outside 3.7.0 to 3.51.2 runs in WAL mode unless told otherwise."""
    assert choose_journal(version) == "wal"
    assert choose_journal(version, asked="delete") == "delete"


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 51, 2)])
def test_affected_versions_do_not(version: tuple[int, int, int]) -> None:
    """An affected version gets the rollback journal, and refuses WAL when it is asked for by name."""
    assert choose_journal(version) == "delete"
    with pytest.raises(UnsafeStorageError, match=r"3\.7\.0"):
        choose_journal(version, asked="wal")


@pytest.mark.parametrize("journal", ["off", "memory", "truncate"])
def test_other_journals_are_refused(journal: str) -> None:
    """A journal that is not on the disk, or not tested here, is not offered."""
    with pytest.raises(UnsafeStorageError):
        choose_journal((3, 53, 0), asked=journal)


def test_driver_is_the_sound_one() -> None:
    """The SQLite in use is the one of the wheel, newer than the defect."""
    assert find_driver() is pysqlite3.dbapi2
    assert pysqlite3.dbapi2.sqlite_version_info > (3, 51, 2)


@pytest.mark.parametrize("side", ["reader", "writer"])
def test_every_connection_is_set_up(sqlite_url: str, side: str) -> None:
    """Readers and the writer sync fully, overwrite what is deleted, check foreign keys and map no memory."""
    db = Database.open(sqlite_url)
    with db.read() if side == "reader" else db.write("records.accept") as conn:
        found = {
            name: conn.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in (
                "journal_mode",
                "synchronous",
                "secure_delete",
                "foreign_keys",
                "mmap_size",
                "query_only",
            )
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "mmap_size": 0,
        "query_only": int(side == "reader"),
    }
    assert db.warnings == []


def test_unsafe_synchronous_is_said_aloud(sqlite_url: str) -> None:
    """The setting that loses records exists for one test, and whoever opens with it is warned."""
    db = Database.open(sqlite_url, unsafe_synchronous="NORMAL")
    with db.write("records.accept") as conn:
        assert conn.execute(text("PRAGMA synchronous")).scalar_one() == 1
    assert any("UNSAFE" in warning for warning in db.warnings)


@pytest.mark.parametrize("value", ["FULL", "0", "normal", "EXTRA"])
def test_other_values_of_synchronous_are_refused(sqlite_url: str, value: str) -> None:
    """Only the two unsafe values have a reason to be named."""
    with pytest.raises(UnsafeStorageError):
        Database.open(sqlite_url, unsafe_synchronous=value)


def test_file_is_private(tmp_path: Path) -> None:
    """A new database and its journal are readable by their owner alone; one that all may read is refused."""
    path = tmp_path / "ledger.db"
    db = Database.open(f"sqlite:///{path}")
    db.create_all(metadata)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    db.close()
    path.chmod(0o644)
    with pytest.raises(UnsafeStorageError, match="Everybody"):
        Database.open(f"sqlite:///{path}")


def test_network_file_system_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A database on NFS is refused before its file is made."""
    mounts = tmp_path / "mounts"
    mounts.write_text("server:/export / nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystem, "_MOUNTS", mounts)
    with pytest.raises(UnsafeStorageError, match="nfs4"):
        Database.open(sqlite_url)
    assert not (tmp_path / "ledger.db").exists()


def test_deleted_bytes_are_overwritten(tmp_path: Path) -> None:
    """After a deletion and a checkpoint the bytes are in no file of the database any more."""
    db = Database.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    db.create_all(metadata)
    canary = b"canary-3141592653589793"
    with db.write("records.accept") as conn:
        conn.execute(notes.insert(), {"word": "one", "body": canary * 300})
    with db.write("records.accept") as conn:
        conn.execute(notes.delete())
    assert canary in (tmp_path / "ledger.db-wal").read_bytes()
    db.flush_journal()
    assert not any(canary in each.read_bytes() for each in tmp_path.iterdir())


def test_journal_is_not_flushed_while_a_reader_needs_it(sqlite_url: str) -> None:
    """Flushing the journal waits for readers of old snapshots, and says so when they stay too long."""
    db = Database.open(sqlite_url, wait_s=0.1)
    db.create_all(metadata)
    with db.read() as conn:
        conn.execute(select(notes.c.word)).all()
        with db.write("records.accept") as other:
            other.execute(notes.insert(), {"word": "one"})
        with pytest.raises(StorageBusyError):
            db.flush_journal()
    db.flush_journal()


def test_own_module_with_the_rollback_journal_serves(tmp_path: Path) -> None:
    """Where there is no wheel, Python's own SQLite opens a file that used WAL, and says what it costs."""
    path = tmp_path / "ledger.db"
    Database.open(f"sqlite:///{path}").close()
    file = prepare_file(path, driver=sqlite3, journal="delete", unsafe_synchronous=None, busy_timeout_s=1)
    assert file.journal == "delete"
    assert any("rollback journal" in warning for warning in file.warnings)


def test_rollback_journal_keeps_the_promises(sqlite_url: str) -> None:
    """With the rollback journal a commit that readers hinder is undone, and works once they are gone."""
    db = Database.open(sqlite_url, journal="delete", wait_s=0.1)
    db.create_all(metadata)
    with db.read() as conn:
        assert conn.execute(select(notes.c.word)).all() == []
        with pytest.raises(StorageBusyError), db.write("records.accept") as other:
            other.execute(notes.insert(), {"word": "one"})
    with db.write("records.accept") as conn:
        conn.execute(notes.insert(), {"word": "two"})
    with db.read() as conn:
        assert conn.execute(select(notes.c.word)).scalars().all() == ["two"]
    assert db.failure is None


def test_two_openings_of_one_file_take_turns(sqlite_url: str) -> None:
    """Two Databases on one file in one process share one fair lock, by the file and not by its spelling."""
    first = Database.open(sqlite_url)
    first.create_all(metadata)
    second = Database.open(sqlite_url.replace("ledger.db", "./ledger.db"), wait_s=5)
    begun, order = threading.Event(), []

    def work() -> None:
        begun.set()
        with second.write("records.accept"):
            order.append("second")

    thread = threading.Thread(target=work)
    with first.write("records.accept"):
        thread.start()
        begun.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_processes_write_to_one_file_in_turn(sqlite_url: str) -> None:
    """Several processes of one machine that write at the same time lose nothing and are not refused."""
    db = Database.open(sqlite_url)
    db.create_all(metadata)
    script = (
        "import sys; from ledger_service.storage.engine import Database\n"
        "from tests.unit.storage.notes import notes\n"
        f"db = Database.open({sqlite_url!r})\n"
        "for number in range(40):\n"
        "    with db.write('records.accept') as conn:\n"
        "        conn.execute(notes.insert(), {'word': f'{sys.argv[1]}/{number}'})\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", script, str(name)], cwd=ROOT) for name in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    with db.read() as conn:
        assert len(conn.execute(notes.select()).all()) == 120
