"""One unit of work: all of it or nothing, one snapshot for readers, a fair turn for writers."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger_service.errors import (
    DiskFullError,
    StorageBusyError,
    StorageError,
    StorageUnavailableError,
    UnsafeStorageError,
)
from ledger_service.storage.engine import Database
from tests.unit.storage.notes import metadata, notes

if TYPE_CHECKING:
    from tests.unit.storage.conftest import NotesDatabase

ROOT = Path(__file__).parents[3]


def test_write_is_there_for_the_next_reader(store: NotesDatabase) -> None:
    """What a finished write stored is what every later snapshot shows."""
    store.add("one")
    store.add("two")
    assert store.words() == ["one", "two"]


def test_error_undoes_everything(store: NotesDatabase) -> None:
    """An error anywhere in the block leaves nothing of the block."""

    def change_my_mind() -> None:
        with store.db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": "half"})
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        change_my_mind()
    assert store.words() == []


def test_constraint_is_told_as_it_is(store: NotesDatabase) -> None:
    """A taken unique key raises the database's own error, undoes the write, and writing goes on."""
    store.add("one")
    with pytest.raises(IntegrityError), store.db.write("records.accept") as conn:
        conn.execute(notes.insert(), [{"word": "two"}, {"word": "one"}])
    store.add("three")
    assert store.words() == ["one", "three"]
    assert store.db.failure is None


def test_mistake_in_a_statement_is_told_as_it_is(store: NotesDatabase) -> None:
    """A wrong statement is no storage failure: neither a read nor a write with one stops anything."""
    with pytest.raises(DBAPIError), store.db.read() as conn:
        conn.execute(text("SELECT nothing FROM nowhere"))
    with pytest.raises(DBAPIError), store.db.write("records.accept") as conn:
        conn.execute(text("DELETE FROM nowhere"))
    store.add("one")
    assert store.words() == ["one"]


def test_reader_keeps_its_snapshot(store: NotesDatabase) -> None:
    """A reader sees the same database from its first statement to its last, whatever is written meanwhile."""
    store.add("one")
    with store.db.read() as conn:
        before = conn.execute(select(notes.c.word)).scalars().all()
        store.add("two")
        assert conn.execute(select(notes.c.word)).scalars().all() == before == ["one"]
    assert store.words() == ["one", "two"]


def test_reader_cannot_write(store: NotesDatabase) -> None:
    """A statement that writes is refused on a reader's connection."""
    with pytest.raises((DBAPIError, StorageUnavailableError)), store.db.read() as conn:
        conn.execute(notes.insert(), {"word": "one"})
    assert store.words() == []
    assert store.db.failure is None


def test_writers_of_many_threads_lose_nothing(store: NotesDatabase) -> None:
    """Every write that returned is stored once, from however many threads."""

    def write(name: int) -> None:
        for number in range(10):
            store.add(f"{name}/{number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.words()) == sorted(f"{name}/{number}" for name in range(8) for number in range(10))


def test_write_inside_a_write_is_refused(sqlite_url: str) -> None:
    """On SQLite a thread that writes cannot begin another write: it would wait for itself."""
    db = Database.open(sqlite_url)
    db.create_all(metadata)
    with db.write("records.accept"), pytest.raises(StorageError, match="inside"), db.write("records.accept"):
        raise AssertionError("the inner block must not run")


def test_another_process_that_writes_is_waited_for_then_refused(sqlite_url: str) -> None:
    """A file that somebody else keeps locked gives StorageBusyError, stores nothing, and writing goes on."""
    ours = Database.open(sqlite_url, wait_s=0.1)
    ours.create_all(metadata)
    holder = (
        "import sys; from ledger_service.storage.engine import Database\n"
        f"with Database.open({sqlite_url!r}).write('records.accept'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StorageBusyError), ours.write("records.accept"):
            raise AssertionError("the block must not run")
        child.communicate()
    with ours.write("records.accept") as conn:
        conn.execute(notes.insert(), {"word": "one"})
    assert ours.failure is None


def test_database_does_not_survive_a_fork(sqlite_url: str) -> None:
    """A Database that was opened before a fork refuses to work in the child."""
    script = (
        "import os; from ledger_service.storage.engine import Database; from ledger_service.errors import *\n"
        f"db = Database.open({sqlite_url!r})\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        db.read().__enter__()\n"
        "    except StorageError as error:\n"
        "        print('refused' if 'fork' in error.text else error.text, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "refused\n"


def test_new_work_stops_before_the_disk_is_full(sqlite_url: str) -> None:
    """Below the reserve new records are refused; sequencing what was accepted, and reading, go on."""
    db = Database.open(sqlite_url, reserve_bytes=1 << 60)
    db.create_all(metadata)
    with pytest.raises(DiskFullError), db.write("records.accept"):
        raise AssertionError("the block must not run")
    with db.write("log.assign") as conn:
        conn.execute(notes.insert(), {"word": "one"})
    with db.read() as conn:
        assert conn.execute(select(notes.c.word)).scalar_one() == "one"


def test_readers_are_bounded(sqlite_url: str) -> None:
    """When all readers are in use, the next one is told to try again instead of opening without limit."""
    db = Database.open(sqlite_url, readers=1, wait_s=0.05)
    with db.read(), pytest.raises(StorageBusyError), db.read():
        raise AssertionError("the block must not run")
    with db.read() as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:////tmp/x.db?mode=ro", "mysql://host/x"]
)
def test_other_databases_are_refused(url: str) -> None:
    """Only a SQLite file or a PostgreSQL server is opened."""
    with pytest.raises(UnsafeStorageError):
        Database.open(url)


def test_unreachable_server_is_named_as_such(tmp_path: Path) -> None:
    """A PostgreSQL server that is not there gives StorageUnavailableError."""
    with pytest.raises(StorageUnavailableError):
        Database.open(f"postgresql://nobody@/nothing?host={tmp_path}", wait_s=1)
