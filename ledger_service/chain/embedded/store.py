"""The chain's file: py-evm's keys and values, the log index and the chain's identity in one SQLite database.

py-evm writes key by key, many keys a block. Here a block's writes are buffered and stored in one transaction, so that
the file always holds whole blocks, and whatever a reader sees has been synced to the disk before.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from eth.db.backends.base import BaseAtomicDB
from eth.db.schema import SchemaV1

from ledger_service.errors import (
    ChainFileError,
    ChainFileInUseError,
    StorageError,
    StorageFatalError,
    UnsafeStorageError,
)
from ledger_service.storage import failpoints
from ledger_service.storage.faults import classify_error
from ledger_service.storage.sqlite import SqliteFile, find_driver, prepare_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

APPLICATION_ID: Final = 0x414C4348  # "ALCH", so that file(1) and we know the file for what it is
FORMAT: Final = 1
CACHE_KIB: Final = 16 * 1024
BUSY_TIMEOUT_S: Final = 10.0
HEAD_KEY: Final = SchemaV1.make_canonical_head_hash_lookup_key()

_SYNCHRONOUS: Final = {"OFF": 0, "NORMAL": 1, "FULL": 2}
_SCHEMA: Final = (
    f"PRAGMA application_id={APPLICATION_ID}",
    f"PRAGMA user_version={FORMAT}",
    "CREATE TABLE identity (chain_id INTEGER NOT NULL, genesis_hash BLOB NOT NULL, funded BLOB NOT NULL)",
    "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    # The receipts in `entries` are the authority; this is the index that eth_getLogs needs. See logs.py.
    """CREATE TABLE logs (
        block INTEGER NOT NULL, place INTEGER NOT NULL, tx_place INTEGER NOT NULL, block_hash BLOB NOT NULL,
        tx_hash BLOB NOT NULL, address BLOB NOT NULL, topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB,
        data BLOB NOT NULL, PRIMARY KEY (block, place)
    ) WITHOUT ROWID""",
    "CREATE INDEX logs_address ON logs (address, block)",
    "CREATE INDEX logs_topic0 ON logs (topic0, block)",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes this chain this chain, fixed when its file is made. `funded` is the 20-byte address with the money."""

    chain_id: int
    genesis_hash: bytes
    funded: bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log of a block. `place` counts through the block, `tx_place` is the transaction's index in it."""

    block: int
    place: int
    tx_place: int
    block_hash: bytes
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Return the log of a row of the table."""
        block, place, tx_place, block_hash, tx_hash, address, *topics, data = row
        present = tuple(topic for topic in topics if topic is not None)
        return cls(block, place, tx_place, block_hash, tx_hash, address, present, data)

    def as_row(self) -> tuple[object, ...]:
        """Return the row of the table."""
        topics = (*self.topics, None, None, None, None)[:4]
        place = (self.block, self.place, self.tx_place, self.block_hash, self.tx_hash, self.address)
        return (*place, *topics, self.data)


class ChainFile:
    """The open file of one chain, owned by this process until `close`.

    Reads may come from any thread and see committed blocks only. Writes come one at a time.
    """

    def __init__(self, file: SqliteFile, lock_handle: int) -> None:
        """Use `ChainFile.open`."""
        self.path = file.path
        self._driver = file.driver
        self._lock_handle = lock_handle
        self._reader = _connect(file, writer=False)
        self._writer = _connect(file, writer=True)
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self.identity: Identity | None = None
        self.identity = self._load_identity()

    @classmethod
    def open(cls, path: Path, *, unsafe_synchronous: str | None = None) -> Self:
        """Take ownership of the file at `path`, which is made if it does not exist (then `identity` is None).

        Raises ChainFileInUseError when another process owns it, ChainFileError when it is not a chain's file, and
        UnsafeStorageError for a network file system. `unsafe_synchronous` is for tests that lose power.
        """
        handle = _own(path)
        try:
            file = prepare_file(
                path,
                driver=find_driver(),
                journal=None,
                unsafe_synchronous=unsafe_synchronous,
                busy_timeout_s=BUSY_TIMEOUT_S,
            )
            return cls(file, handle)
        except BaseException as error:
            os.close(handle)
            if isinstance(error, StorageFatalError) or classify_error(error) is StorageFatalError:
                raise ChainFileError(f"{path.name} cannot be read as a database.", file=path.name) from error
            raise

    @classmethod
    @contextmanager
    def snapshot(cls, path: Path) -> Iterator[Self]:
        """Give the file as it is now, for reading only, beside a process that may own it and make blocks.

        Raises ChainFileError when it is missing or not a chain's file.
        """
        if not path.exists():
            raise ChainFileError(f"{path.name} is missing.", file=path.name)
        settings = SqliteFile(path, find_driver(), "wal", "FULL", BUSY_TIMEOUT_S, ())
        handle = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file = cls(settings, handle)
        except settings.driver.Error as error:
            os.close(handle)
            raise ChainFileError(f"{path.name} cannot be read as a database.", file=path.name) from error
        try:
            file._reader.execute("BEGIN")
            yield file
        finally:
            file.close()

    def read(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        if self.identity is None:
            return None  # There are no tables yet: block 0 is being made.
        row = self.ask("SELECT value FROM entries WHERE key=?", (key,))
        return row[0][0] if row else None

    def ask(self, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one SELECT over committed data: one snapshot."""
        with self._reading:
            try:
                return list(self._reader.execute(question, values))
            except self._driver.Error as error:
                raise _explain(error) from error

    def store_genesis(self, identity: Identity, entries: Mapping[bytes, bytes]) -> None:
        """Make the tables and store block 0 in one transaction. Raises as `store_block` does."""
        if self.identity is not None:
            raise ChainFileError(f"{self.path.name} holds a chain already.", chain_id=self.identity.chain_id)

        def work() -> None:
            for statement in _SCHEMA:
                self._writer.execute(statement)
            row = (identity.chain_id, identity.genesis_hash, identity.funded)
            self._writer.execute("INSERT INTO identity VALUES (?,?,?)", row)
            self._put(entries)

        self._transact(work)
        self.identity = self._load_identity()

    def store_block(self, entries: Mapping[bytes, bytes], logs: Sequence[LogRow]) -> None:
        """Store all that one block wrote, its head pointer last, in one synced transaction.

        Raises DiskFullError when nothing was stored for lack of space, and StorageFatalError (or InjectedFaultError)
        when the outcome is not known: the process must then stop and read the file anew.
        """

        def work() -> None:
            self._put(entries)
            rows = [each.as_row() for each in logs]
            self._writer.executemany("INSERT INTO logs VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)

        self._transact(work)

    def close(self) -> None:
        """Give the file back. Nothing is pending: each block was stored when it was made."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()
            os.close(self._lock_handle)

    def _put(self, entries: Mapping[bytes, bytes]) -> None:
        ordered = sorted(entries.items(), key=lambda item: item[0] == HEAD_KEY)
        self._writer.executemany("INSERT OR REPLACE INTO entries VALUES (?,?)", ordered)

    def _transact(self, work: Callable[[], None]) -> None:
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                work()
                with failpoints.step("chain.block"):
                    self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if isinstance(error, self._driver.Error):
                    raise _explain(error) from error
                raise

    def _load_identity(self) -> Identity | None:
        found = [self.ask(f"PRAGMA {name}")[0][0] for name in ("application_id", "user_version")]
        if found == [APPLICATION_ID, FORMAT]:
            rows = self.ask("SELECT chain_id, genesis_hash, funded FROM identity")
            if [tuple(map(type, row)) for row in rows] != [(int, bytes, bytes)]:
                raise ChainFileError(f"{self.path.name} does not say which chain it is.", file=self.path.name)
            return Identity(*rows[0])
        if found != [0, 0] or self.ask("SELECT 1 FROM sqlite_schema LIMIT 1"):
            raise ChainFileError(f"{self.path.name} is not a chain of format {FORMAT}.", file=self.path.name)
        return None


class CommittedReads(BaseAtomicDB):
    """The file as py-evm's database, for reading only. A write is a defect and raises."""

    def __init__(self, file: ChainFile) -> None:
        """Read from `file`."""
        self._file = file

    def __getitem__(self, key: bytes) -> bytes:
        """Return the committed value. Raises KeyError."""
        value = self._file.read(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Refuse: whatever serves requests must not write."""
        raise ChainFileError("A read tried to write to the chain.")

    def __delitem__(self, key: bytes) -> None:
        """Refuse: whatever serves requests must not write."""
        raise ChainFileError("A read tried to delete from the chain.")

    def _exists(self, key: bytes) -> bool:
        return self._file.read(key) is not None

    def atomic_batch(self) -> Any:
        """Refuse: whatever serves requests must not write."""
        raise ChainFileError("A read tried to write to the chain.")


class BlockBuffer(BaseAtomicDB):
    """The writes of the one block that is being made, over the committed state. Thrown away unless stored."""

    def __init__(self, file: ChainFile) -> None:
        """Start with no writes."""
        self._file = file
        self.entries: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> bytes:
        """Return the buffered value, else the committed one. Raises KeyError."""
        value = self.entries.get(key)
        if value is None:
            value = self._file.read(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Buffer a write."""
        self.entries[key] = value

    def __delitem__(self, key: bytes) -> None:
        """Forget a write of this block. py-evm deletes what is stored only when a chain forks, and this one cannot."""
        if self._file.read(key) is not None:
            raise ChainFileError("A block tried to delete what an earlier block stored.")
        del self.entries[key]

    def _exists(self, key: bytes) -> bool:
        return key in self.entries or self._file.read(key) is not None

    @contextmanager
    def atomic_batch(self) -> Iterator[Any]:
        """Group writes. A group that breaks off breaks the block off, and the whole buffer with it."""
        yield self


def _own(path: Path) -> int:
    # A lock on a file of its own: closing any handle of the database itself would drop SQLite's locks on it.
    handle = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ChainFileInUseError(file=path.name) from error
    return handle


def _connect(file: SqliteFile, *, writer: bool) -> Any:
    connection = file.driver.connect(
        str(file.path), isolation_level=None, check_same_thread=False, timeout=file.busy_timeout_s
    )
    connection.execute(f"PRAGMA synchronous={file.synchronous}")
    connection.execute("PRAGMA fullfsync=1")
    connection.execute("PRAGMA checkpoint_fullfsync=1")
    connection.execute(f"PRAGMA cache_size={-CACHE_KIB}")
    connection.execute(f"PRAGMA query_only={int(not writer)}")
    ((synchronous,),) = connection.execute("PRAGMA synchronous").fetchall()
    if synchronous != _SYNCHRONOUS[file.synchronous]:
        raise UnsafeStorageError(f"SQLite runs with synchronous={synchronous}, not {file.synchronous}.")
    return connection


def _explain(error: Exception) -> StorageError:
    kind = classify_error(error) or StorageFatalError
    return kind(f"The embedded chain's file: {error}", cause=type(error).__name__)
