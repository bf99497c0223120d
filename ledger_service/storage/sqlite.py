"""SQLite as this project uses it: a local file, WAL, every commit on the disk before it is acknowledged."""

from __future__ import annotations

import importlib
import os
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from ledger_service.errors import StorageBusyError, StorageError, UnsafeStorageError
from ledger_service.storage.fair_lock import FairLock
from ledger_service.storage.faults import classify_error
from ledger_service.storage.filesystem import check_local, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy import Connection, Engine

# In these versions two connections that race to restart the WAL can lose a commit
# (sqlite.org/wal.html#walresetbug).
_WAL_DEFECT_FROM: Final = (3, 7, 0)
_WAL_DEFECT_TO: Final = (3, 51, 2)

PAGE_BYTES: Final = 4096
WRITER_CACHE_KIB: Final = 96 * 1024
READER_CACHE_KIB: Final = 16 * 1024
# A checkpoint copies a page once, however often it was changed since the last one. Random record ids touch
# many pages of a large index, so a long WAL saves more than it costs: at 10⁶ rows 16,384 pages took 55 µs a
# record, 32,768 took 42, and 65,536 took 41 with twice the space.
CHECKPOINT_PAGES: Final = 32_768
WAL_LIMIT_BYTES: Final = 192 * 1024 * 1024

_locks: dict[Path, FairLock] = {}
_locks_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """How one file is opened: by which module, with which journal, synced how."""

    path: Path
    driver: ModuleType
    journal: str
    synchronous: str
    busy_timeout_s: float
    warnings: tuple[str, ...]


def find_driver() -> ModuleType:
    """Return `pysqlite3`, whose wheel carries a current SQLite, or Python's own where there is no wheel."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ModuleNotFoundError:
        return importlib.import_module("sqlite3.dbapi2")


def choose_journal(version: tuple[int, int, int], *, asked: str | None = None) -> str:
    """Return "wal" or "delete" (the rollback journal) for this version of SQLite.

    Unless told, an affected version gets the rollback journal. Raises UnsafeStorageError when WAL is asked
    of one.
    """
    affected = _WAL_DEFECT_FROM <= version <= _WAL_DEFECT_TO
    journal = (asked or ("delete" if affected else "wal")).lower()
    if journal not in {"wal", "delete"}:
        raise UnsafeStorageError(f"The journal {journal!r} is not offered: wal or delete.")
    if journal == "wal" and affected:
        raise UnsafeStorageError(
            f"SQLite {'.'.join(map(str, version))} can lose commits in WAL mode (3.7.0 to 3.51.2 do).",
            version=version,
        )
    return journal


def prepare_file(
    path: Path,
    *,
    driver: ModuleType,
    journal: str | None,
    unsafe_synchronous: str | None,
    busy_timeout_s: float,
) -> SqliteFile:
    """Refuse what is unsafe, make the file with mode 0600 if it is new, and set what lasts in it."""
    warnings: list[str] = []
    chosen = choose_journal(driver.sqlite_version_info, asked=journal)
    if chosen == "delete":
        warnings.append("SQLite uses the rollback journal: readers and the writer wait for each other.")
    synchronous = _choose_synchronous(unsafe_synchronous, warnings)
    check_local(path.parent)
    _create(path)
    file = SqliteFile(path, driver, chosen, synchronous, busy_timeout_s, tuple(warnings))
    _settle(file)
    return file


def make_engine(file: SqliteFile, *, writer: bool) -> Engine:
    """Return an engine whose transactions are BEGIN IMMEDIATE for the writer, and a snapshot for a reader."""
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(file.path)),
        module=file.driver,
        poolclass=NullPool,
        query_cache_size=2_000,
        connect_args={
            # None: the module never begins or ends a transaction of its own.
            "isolation_level": None,
            # A connection has one user at a time, though not always the same thread.
            "check_same_thread": False,
            "timeout": file.busy_timeout_s,
            "cached_statements": 512,
        },
    )
    event.listen(engine, "connect", _configure(file, writer=writer))
    event.listen(engine, "begin", _begin_immediate if writer else _begin_snapshot)
    return engine


def writer_lock(path: Path) -> FairLock:
    """Return the one lock for writers of this file in this process, whoever opened it."""
    with _locks_guard:
        return _locks.setdefault(path.resolve(), FairLock())


def empty_wal(conn: Connection, *, patience_ms: int) -> None:
    """Checkpoint everything and cut the WAL to nothing.

    Raises StorageBusyError while readers still need it after `patience_ms`, for which all writers wait.
    """
    driver = _driver_connection(conn)
    (timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout={patience_ms}")
    try:
        (busy, _frames, _moved) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        driver.execute(f"PRAGMA busy_timeout={timeout}")
    if busy:
        raise StorageBusyError


def _begin_immediate(conn: Connection) -> None:
    _driver_connection(conn).execute("BEGIN IMMEDIATE")


def _begin_snapshot(conn: Connection) -> None:
    _driver_connection(conn).execute("BEGIN")


def _driver_connection(conn: Connection) -> Any:
    return conn.connection.driver_connection


def _choose_synchronous(unsafe: str | None, warnings: list[str]) -> str:
    if unsafe is None:
        return "FULL"
    if unsafe not in {"OFF", "NORMAL"}:
        raise UnsafeStorageError(
            f"synchronous={unsafe} is not a choice: leave it out, or NORMAL or OFF for tests."
        )
    warnings.append(f"UNSAFE: synchronous={unsafe}. Acknowledged records are lost when the power fails.")
    return unsafe


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o007:
            raise UnsafeStorageError(
                f"Everybody may open {path.name} (mode {mode:04o}).", file=path.name
            ) from None
    else:
        sync_directory(path.parent)


def _settle(file: SqliteFile) -> None:
    """Set what is written into the file itself, and read it back."""
    conn = file.driver.connect(str(file.path), isolation_level=None, timeout=file.busy_timeout_s)
    try:
        # Both have an effect on an empty file only. Vacuuming would keep a map of pages that nobody needs.
        conn.execute(f"PRAGMA page_size={PAGE_BYTES}")
        conn.execute("PRAGMA auto_vacuum=NONE")
        (journal,) = conn.execute(f"PRAGMA journal_mode={file.journal}").fetchone()
        if journal != file.journal:
            raise UnsafeStorageError(f"SQLite keeps the journal {journal!r} instead of {file.journal!r}.")
    except file.driver.Error as error:
        kind = classify_error(error) or StorageError
        raise kind(f"{file.path.name} cannot be opened: {error}.", file=file.path.name) from error
    finally:
        conn.close()


def _configure(file: SqliteFile, *, writer: bool) -> Callable[[Any, Any], None]:
    wanted = {
        "synchronous": ({"OFF": 0, "NORMAL": 1, "FULL": 2}[file.synchronous]),
        "foreign_keys": 1,
        # Erasure means that the bytes are gone, so freed space is overwritten.
        "secure_delete": 1,
        # macOS: a plain fsync leaves data in the drive's cache.
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "temp_store": 2,
        # A failing disk under a memory map ends the process by SIGBUS; a failing read() raises an error.
        "mmap_size": 0,
        "recursive_triggers": 0,
        "cache_size": -(WRITER_CACHE_KIB if writer else READER_CACHE_KIB),
        "query_only": int(not writer),
    }

    def configure(connection: Any, _record: object) -> None:
        for name, value in wanted.items():
            connection.execute(f"PRAGMA {name}={value}")
        if file.journal == "wal":
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}")
        for name in ("synchronous", "foreign_keys", "secure_delete"):
            (got,) = connection.execute(f"PRAGMA {name}").fetchone()
            if got != wanted[name]:
                raise UnsafeStorageError(f"SQLite runs with {name}={got} instead of {wanted[name]}.")

    return configure
