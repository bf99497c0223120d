"""After a failure of the disk or an unknown outcome nothing more is written; what is known is typed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg.errors
import pytest
from sqlalchemy import select, text

from ledger_service.errors import (
    DiskFullError,
    StorageBusyError,
    StorageError,
    StorageFatalError,
    StorageUnavailableError,
)
from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from ledger_service.storage.faults import classify_error, commit_outcome
from tests.support.postgres import PostgresCluster
from tests.unit.storage.notes import metadata, notes

if TYPE_CHECKING:
    from tests.unit.storage.conftest import NotesDatabase

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("action", "stored"), [("fail", []), ("fail-done", ["one"])])
def test_failed_commit_stops_writing_and_not_reading(
    store: NotesDatabase, action: str, stored: list[str]
) -> None:
    """Whether a failed commit happened or not: writing stops, reading goes on, a fresh start is sound."""
    failpoints.arm(f"records.accept={action}")
    with pytest.raises(StorageFatalError):
        store.add("one")
    with pytest.raises(StorageFatalError):
        store.add("two")
    assert isinstance(store.db.failure, StorageFatalError)
    assert store.words() == stored
    again = Database.open(store.url)
    with again.write("records.accept") as conn:
        conn.execute(notes.insert(), {"word": "three"})
    assert store.words() == [*stored, "three"]
    again.close()


def test_poison_spares_waiting_writers_the_attempt(sqlite_url: str) -> None:
    """A writer that waited for its turn while the commit before it failed does not write either."""
    db = Database.open(sqlite_url)
    db.create_all(metadata)
    failpoints.arm("records.accept=fail-done")
    inside, errors = threading.Event(), []

    def wait_for_a_turn() -> None:
        try:
            inside.set()
            with db.write("log.assign"):
                raise AssertionError("the block must not run")
        except StorageFatalError as error:
            errors.append(error)

    waiter = threading.Thread(target=wait_for_a_turn)

    def fail_while_another_waits() -> None:
        with db.write("records.accept"):
            waiter.start()
            inside.wait()

    with pytest.raises(StorageFatalError):
        fail_while_another_waits()
    waiter.join()
    assert len(errors) == 1


FULL_DISK = """
import resource, signal, sys
from ledger_service.errors import StorageFatalError
from ledger_service.storage.engine import Database
from tests.unit.storage.notes import metadata, notes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
db = Database.open(sys.argv[1])
db.create_all(metadata)
acknowledged = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    while True:
        with db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": str(acknowledged), "body": bytes(100_000)})
        acknowledged += 1
except StorageFatalError:
    pass
try:
    with db.write("records.accept"):
        print("wrote on")
except StorageFatalError:
    with db.read() as conn:
        print(acknowledged, len(conn.execute(notes.select()).all()))
"""


def test_real_write_error_stops_writing(sqlite_url: str) -> None:
    """When the kernel refuses a write (here by a size limit), writing stops; all acknowledged is readable."""
    shown = subprocess.run(
        [sys.executable, "-c", FULL_DISK, sqlite_url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    acknowledged, found = map(int, shown.stdout.split())
    assert acknowledged > 0
    assert found == acknowledged


def test_no_space_before_the_commit_is_undone(sqlite_url: str) -> None:
    """A database that cannot grow refuses the statement and stores nothing; with space, writing goes on."""
    db = Database.open(sqlite_url)
    db.create_all(metadata)
    with db.write("records.accept") as conn:
        conn.execute(text("PRAGMA max_page_count=10"))
    with pytest.raises(DiskFullError), db.write("records.accept") as conn:
        conn.execute(notes.insert(), [{"word": "a", "body": b""}, {"word": "b", "body": bytes(1_000_000)}])
    with db.write("records.accept") as conn:
        conn.execute(text("PRAGMA max_page_count=1000000"))
        conn.execute(notes.insert(), {"word": "one"})
    with db.read() as conn:
        assert conn.execute(select(notes.c.word)).scalars().all() == ["one"]
    assert db.failure is None


def test_damaged_page_is_fatal_and_typed(tmp_path: Path) -> None:
    """A damaged file raises StorageFatalError to its reader, never a bare driver error, and stops writing."""
    path = tmp_path / "ledger.db"
    db = Database.open(f"sqlite:///{path}")
    db.create_all(metadata)
    with db.write("records.accept") as conn:
        conn.execute(notes.insert(), [{"word": f"{n:0500}"} for n in range(400)])
    with db.write("records.accept") as conn:
        conn.execute(text("SELECT 1"))
    db.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    again = Database.open(f"sqlite:///{path}")
    with pytest.raises(StorageFatalError), again.read() as conn:
        conn.execute(select(notes.c.word)).all()
    with pytest.raises(StorageFatalError), again.write("records.accept"):
        raise AssertionError("the block must not run")


def test_server_that_went_away_is_met_again() -> None:
    """When PostgreSQL restarts between two writes, callers are told to try again and then succeed."""
    with PostgresCluster.start() as cluster:
        db = Database.open(cluster.create_database(), wait_s=5)
        db.create_all(metadata)
        cluster.crash()
        with pytest.raises(StorageUnavailableError), db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": "one"})
        cluster.restart()
        with db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": "two"})
        with db.read() as conn:
            assert conn.execute(select(notes.c.word)).scalars().all() == ["two"]
        assert db.failure is None
        db.close()


def test_server_that_dies_during_commit_leaves_an_unknown_outcome() -> None:
    """A connection that breaks at COMMIT poisons: nobody knows whether the commit happened."""
    with PostgresCluster.start() as cluster:
        db = Database.open(cluster.create_database(), wait_s=5)
        db.create_all(metadata)

        def lose_the_server() -> None:
            with db.write("records.accept") as conn:
                conn.execute(notes.insert(), {"word": "one"})
                cluster.crash()

        with pytest.raises(StorageFatalError):
            lose_the_server()
        assert db.failure is not None
        db.close()


def test_two_transactions_that_wait_for_each_other_are_told_to_try_again(postgres_url: str) -> None:
    """A deadlock on PostgreSQL undoes one of both with StorageBusyError and poisons nothing."""
    db = Database.open(postgres_url, wait_s=5)
    db.create_all(metadata)
    with db.write("records.accept") as conn:
        conn.execute(notes.insert(), [{"word": "a"}, {"word": "b"}])
    meeting, refused = threading.Barrier(2), []

    def touch(first: str, second: str) -> None:
        try:
            with db.write("records.accept") as conn:
                conn.execute(notes.update().where(notes.c.word == first).values(body=b"1"))
                meeting.wait()
                conn.execute(notes.update().where(notes.c.word == second).values(body=b"2"))
        except StorageBusyError as error:
            refused.append(error)

    threads = [threading.Thread(target=touch, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert db.failure is None
    db.close()


class FakeSqliteError(Exception):
    """An error as Python's sqlite3 raises it."""

    def __init__(self, number: int) -> None:
        """Carry a result code."""
        self.sqlite_errorcode = number


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1, None),  # SQLITE_ERROR
        (5, StorageBusyError),
        (261, StorageBusyError),  # SQLITE_BUSY_RECOVERY
        (8, None),
        (1032, StorageFatalError),  # SQLITE_READONLY_DBMOVED
        (778, StorageFatalError),  # SQLITE_IOERR_WRITE
        (1034, StorageFatalError),  # SQLITE_IOERR_FSYNC
        (13, DiskFullError),
        (14, StorageUnavailableError),
        (19, None),  # SQLITE_CONSTRAINT
        (2067, None),  # SQLITE_CONSTRAINT_UNIQUE
    ],
)
def test_result_codes_of_sqlite_have_a_meaning(number: int, kind: type[StorageError] | None) -> None:
    """Each primary result code of SQLite, extended or not, means one thing to us."""
    assert classify_error(FakeSqliteError(number)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.DiskFull(), DiskFullError),
        (psycopg.errors.TooManyConnections(), StorageBusyError),
        (psycopg.errors.DeadlockDetected(), StorageBusyError),
        (psycopg.errors.LockNotAvailable(), StorageBusyError),
        (psycopg.errors.AdminShutdown(), StorageUnavailableError),
        (psycopg.errors.IoError(), StorageFatalError),
        (psycopg.errors.DataCorrupted(), StorageFatalError),
        (psycopg.errors.UniqueViolation(), None),
        (psycopg.OperationalError("the connection is closed"), StorageUnavailableError),
        (psycopg.ProgrammingError("no such column"), None),
    ],
)
def test_codes_of_postgresql_have_a_meaning(error: Exception, kind: type[StorageError] | None) -> None:
    """Each class of PostgreSQL's error codes means one thing to us."""
    assert classify_error(error) is kind


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FakeSqliteError(5), "undone"),
        (FakeSqliteError(787), "undone"),  # SQLITE_CONSTRAINT_FOREIGNKEY, deferred
        (FakeSqliteError(13), "unknown"),
        (FakeSqliteError(1034), "unknown"),
        (psycopg.errors.SerializationFailure(), "undone"),
        (psycopg.errors.UniqueViolation(), "undone"),
        (psycopg.OperationalError("the connection is closed"), "unknown"),
        (psycopg.errors.DiskFull(), "unknown"),
        (KeyboardInterrupt(), "unknown"),
    ],
)
def test_only_sure_outcomes_are_called_undone(error: BaseException, outcome: str) -> None:
    """A COMMIT that failed counts as undone only where the engine guarantees it."""
    assert commit_outcome(error) == outcome
