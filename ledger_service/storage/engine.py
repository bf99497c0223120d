"""The one place that begins, commits and rolls back.

    with db.read() as conn:                 # one snapshot, read-only
        ...
    with db.write("records.accept") as conn:  # all of it or nothing, durable when the block has ended
        ...

The name given to `write` is the failpoint around its commit. When a commit fails in a way that leaves its
outcome unknown, or the disk fails, the Database is poisoned: it goes on reading and refuses to write until
the process is started again, because only a clean reload shows what is true.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from sqlalchemy.engine import make_url

from ledger_service.errors import (
    DiskFullError,
    LedgerError,
    StorageError,
    StorageFatalError,
    StorageUnavailableError,
    UnsafeStorageError,
)
from ledger_service.storage import failpoints, migrations, postgres, sqlite
from ledger_service.storage.faults import as_damage, classify_error, commit_outcome
from ledger_service.storage.filesystem import free_bytes
from ledger_service.storage.pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Engine, MetaData, RootTransaction, Table
    from sqlalchemy.engine import URL

    from ledger_service.storage.fair_lock import FairLock

# Work that takes on something new. It stops first when space runs out, so that what was accepted can be
# finished.
_ADMITTING: Final = frozenset({"records.accept", "accounts.write", "log.open"})
# Readers come and go within milliseconds; those that stay longer are not waited for with writers standing by.
_JOURNAL_PATIENCE_MS: Final = 100
DEFAULT_RESERVE_BYTES: Final = 64 * 1024 * 1024


class Database:
    """One database, for all threads of one process. Opened after a fork, never carried through one."""

    __slots__ = (
        "_directory",
        "_engines",
        "_failure",
        "_lock",
        "_pid",
        "_readers",
        "_reserve",
        "_wait_s",
        "_writers",
        "dialect",
        "warnings",
    )

    def __init__(
        self,
        *,
        reader: Engine,
        writer: Engine,
        lock: FairLock | None,
        directory: Path | None,
        wait_s: float,
        readers: int,
        writers: int,
        reserve_bytes: int,
        warnings: tuple[str, ...],
    ) -> None:
        """Use `Database.open`."""
        self.dialect = writer.dialect.name
        self.warnings = list(warnings)
        self._engines = (reader, writer)
        self._lock = lock
        self._directory = directory
        self._wait_s = wait_s
        self._reserve = reserve_bytes
        self._readers = ConnectionPool(reader.connect, size=readers, wait_s=wait_s)
        self._writers = ConnectionPool(writer.connect, size=writers, wait_s=wait_s)
        self._failure: StorageFatalError | None = None
        self._pid = os.getpid()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        readers: int = 32,
        writers: int = 8,
        wait_s: float = 30.0,
        reserve_bytes: int = DEFAULT_RESERVE_BYTES,
        journal: str | None = None,
        unsafe_synchronous: str | None = None,
    ) -> Self:
        """Open `sqlite:////absolute/path` or `postgresql://user@host/name`.

        `readers` and `writers` bound the connections (SQLite writes one at a time whatever is said),
        `wait_s` the time to wait for one, for a lock and for a server. New work is refused when fewer than
        `reserve_bytes` are free. `unsafe_synchronous` ("NORMAL" or "OFF") exists for the test that shows
        what it loses; it is listed in `warnings`. Raises UnsafeStorageError for anything that could lose
        what was acknowledged.
        """
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            path = _sqlite_path(parsed)
            file = sqlite.prepare_file(
                path,
                driver=sqlite.find_driver(),
                journal=journal,
                unsafe_synchronous=unsafe_synchronous,
                busy_timeout_s=wait_s,
            )
            return cls(
                reader=sqlite.make_engine(file, writer=False),
                writer=sqlite.make_engine(file, writer=True),
                lock=sqlite.writer_lock(path),
                directory=path.parent,
                wait_s=wait_s,
                readers=readers,
                writers=1,
                reserve_bytes=reserve_bytes,
                warnings=file.warnings,
            )
        if backend == "postgresql":
            db = cls(
                reader=postgres.make_engine(parsed, writer=False, timeout_s=wait_s),
                writer=postgres.make_engine(
                    parsed, writer=True, timeout_s=wait_s, unsafe_synchronous=unsafe_synchronous
                ),
                lock=None,
                directory=None,
                wait_s=wait_s,
                readers=readers,
                writers=writers,
                reserve_bytes=0,
                warnings=(),
            )
            db.warnings.extend(db._check_server(unsafe_synchronous))
            return db
        raise UnsafeStorageError(f"There is no support for {backend}: use sqlite or postgresql.")

    @property
    def failure(self) -> StorageFatalError | None:
        """The error that stopped writing, or None."""
        return self._failure

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on one read-only snapshot. It neither waits for writers nor hinders them."""
        self._check_process()
        conn = self._take(self._readers)
        try:
            yield conn
        except BaseException as error:  # noqa: BLE001  it is always raised again
            self._end(conn, self._readers)
            self._raise_typed(error)
        self._end(conn, self._readers)

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """As `read`, for what is shown to others: a row that was altered gives DamagedDataError, whatever it holds."""
        with self.read() as conn, as_damage():
            yield conn

    @contextmanager
    def write(self, step: str) -> Iterator[Connection]:
        """Give a connection whose changes are durable, all of them, when the block ends without an error.

        `step` names the failpoint around the commit. Any error in the block undoes everything. On SQLite
        writers take turns in the order in which they came. Raises StorageBusyError and
        StorageUnavailableError (nothing was stored, try again), DiskFullError, and StorageFatalError, after
        which nothing more can be written.
        """
        self._check_process()
        self._check_writable(step)
        with self._turn():
            self._check_writable(step)
            conn = self._take(self._writers)
            try:
                transaction = conn.begin()
                yield conn
            except BaseException as error:  # noqa: BLE001  it is always raised again
                self._end(conn, self._writers)
                self._raise_typed(error)
            self._commit(conn, transaction, step)

    def try_write(self, *, patience_s: float) -> None:
        """Change a row and undo it, so that whatever keeps writers out is raised; nothing becomes durable.

        Raises StorageBusyError when writers do not take turns within `patience_s`, and what `write` raises.
        """
        self._check_process()
        if self._failure is not None:
            raise StorageFatalError(after=self._failure.details)
        with self._turn(patience_s):
            conn = self._take(self._writers)
            try:
                conn.begin()
                migrations.rewrite_revision(conn)
            except BaseException as error:  # noqa: BLE001  it is always raised again
                self._end(conn, self._writers)
                self._raise_typed(error)
            self._end(conn, self._writers)

    def migrate(self) -> None:
        """Bring the schema to what this program needs; SchemaError when it is that of a newer program."""
        with self.read() as conn:
            if migrations.current_revision(conn) == migrations.HEAD:
                return
        with self.write("storage.migrate") as conn:
            migrations.upgrade(conn)

    def check_schema(self) -> None:
        """Raise SchemaError unless the schema is exactly the one this program needs."""
        with self.read() as conn:
            migrations.check_revision(conn)

    def create_all(self, tables: MetaData) -> None:
        """Create all tables at once. For tests of one package; the product's schema comes from `migrate`."""
        with self.write("storage.migrate") as conn:
            tables.create_all(conn)

    def flush_journal(self) -> None:
        """Move everything out of SQLite's journal and empty it: then erased bytes are in no file any more.

        Raises StorageBusyError while somebody reads an older snapshot. PostgreSQL recycles its own.
        """
        if self.dialect != "sqlite":
            return
        with self._turn():
            conn = self._take(self._writers)
            try:
                sqlite.empty_wal(conn, patience_ms=_JOURNAL_PATIENCE_MS)
            except BaseException as error:  # noqa: BLE001  it is always raised again
                self._end(conn, self._writers)
                self._raise_typed(error)
            self._writers.give(conn)

    def vacuum(self, tables: Iterable[Table]) -> None:
        """Let PostgreSQL free what was overwritten or deleted in these tables; SQLite does so at once.

        The space is used again and not overwritten before: what must be gone for good has to lie there sealed.
        """
        if self.dialect != "postgresql":
            return
        try:
            # It cannot run inside a transaction.
            with self._engines[1].connect() as conn:
                alone = conn.execution_options(isolation_level="AUTOCOMMIT")
                for table in tables:
                    alone.exec_driver_sql(f"VACUUM {table.name}")
        except Exception as error:  # noqa: BLE001  it is always raised again
            self._raise_typed(error)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._readers.clear()
        self._writers.clear()
        for engine in self._engines:
            engine.dispose()

    def _commit(self, conn: Connection, transaction: RootTransaction, step: str) -> None:
        try:
            with failpoints.step(step):
                transaction.commit()
        except BaseException as error:
            known = commit_outcome(error) == "undone"
            if known:
                # SQLAlchemy counts the transaction as ended; on SQLite, after SQLITE_BUSY, it is still open.
                conn.connection.rollback()
            self._end(conn, self._writers, keep=known)
            if known:
                self._raise_typed(error)
            raise self._poison(error, step=step) from error
        self._writers.give(conn)

    def _turn(self, wait_s: float | None = None) -> AbstractContextManager[None]:
        wait_s = self._wait_s if wait_s is None else min(wait_s, self._wait_s)
        return nullcontext() if self._lock is None else self._lock.hold(wait_s)

    def _take(self, pool: ConnectionPool) -> Connection:
        try:
            return pool.take()
        except Exception as error:  # noqa: BLE001  it is always raised again
            self._raise_typed(error)

    def _end(self, conn: Connection, pool: ConnectionPool, *, keep: bool = True) -> None:
        """Undo what is open and give the connection back, or drop it when that is not possible."""
        try:
            conn.rollback()
        except Exception:  # noqa: BLE001  whatever it is, the connection is not to be used again
            keep = False
        if keep and not conn.closed and not conn.invalidated:
            pool.give(conn)
        else:
            pool.drop(conn)

    def _raise_typed(self, error: BaseException) -> NoReturn:
        """Raise what the error means to us, or the error itself when it is none of the database's."""
        kind = None if isinstance(error, LedgerError) else classify_error(error)
        if kind is None:
            raise error
        if kind is StorageFatalError:
            raise self._poison(error, step=None) from error
        if kind is StorageUnavailableError:
            # A server that went away took all connections with it; the next caller opens a new one.
            self._readers.clear()
            self._writers.clear()
        raise kind from error

    def _poison(self, error: BaseException, *, step: str | None) -> StorageFatalError:
        failure = StorageFatalError(step=step, cause=type(getattr(error, "orig", None) or error).__name__)
        if self._failure is None:
            self._failure = failure
        return failure

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise StorageError("This Database was opened before a fork; open it in the process that uses it.")

    def _check_writable(self, step: str) -> None:
        if self._failure is not None:
            raise StorageFatalError(after=self._failure.details)
        if self._directory is not None and step in _ADMITTING and free_bytes(self._directory) < self._reserve:
            raise DiskFullError

    def _check_server(self, unsafe_synchronous: str | None) -> tuple[str, ...]:
        try:
            with self.read() as conn:
                return postgres.check_settings(conn, unsafe_synchronous=unsafe_synchronous)
        except BaseException:
            self.close()
            raise


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.query:
        raise UnsafeStorageError("A SQLite database is a file: write sqlite:////absolute/path.")
    return Path(url.database).absolute()
