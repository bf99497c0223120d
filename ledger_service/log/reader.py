"""Reading a log: what is asked together comes from one snapshot, and no proof leaves that was not checked.

Everything here lies below the signed head. What the sequencer has written and not signed does not exist yet.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from ledger_service.errors import (
    CorruptLogError,
    LedgerError,
    NotSequencedError,
    TileMissingError,
    UnknownCheckpointError,
    UnknownEntryError,
)
from ledger_service.log.directory import LogRow, all_logs, find_log, log_of_number
from ledger_service.log.heads import Head, read_head
from ledger_service.log.tables import checkpoints, log_entries
from ledger_service.log.tiles import StoredTiles
from ledger_service.proofs.checkpoint import stated_time
from ledger_service.proofs.merkle import (
    TILE_HEIGHT,
    TILE_WIDTH,
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
)
from ledger_service.proofs.note import ALG_MLDSA44, find_signature, parse_note
from ledger_service.proofs.tile import format_bundle
from ledger_service.proofs.types import LeafIndex, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row

    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A signed checkpoint of `log`, as its note."""

    log: LogRow = field(repr=False)
    size: TreeSize
    root: RootHash
    note: bytes = field(repr=False)

    @property
    def timestamp(self) -> int:
        """When the note was signed, in seconds since 1970, as it says itself; raises CorruptLogError.

        The column beside it is for ordering and drawing: what a statement says of time must be what was signed.
        """
        try:
            note = parse_note(self.note)
            keys = [key for era in self.log.eras for key in era.vkeys if key.alg == ALG_MLDSA44]
            [cosigner] = [key for key in keys if find_signature(note, key)]
            return stated_time(note, cosigner)
        except (LedgerError, ValueError) as error:
            raise CorruptLogError(
                log_id=self.log.id,
                size=self.size,
                problem="a checkpoint's note does not say when it was signed",
            ) from error


class LogReader:
    """Reads logs. Any number of threads may use one."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    def logs(self) -> tuple[LogRow, ...]:
        """Every log, oldest first."""
        with self._database.look() as conn:
            return all_logs(conn)

    @contextmanager
    def view(self, origin: str) -> Iterator[LogView]:
        """Give one snapshot of the log of this origin; raises UnknownLogError."""
        with self._database.look() as conn:
            yield view_log(conn, find_log(conn, origin))

    @contextmanager
    def view_number(self, log_id: int) -> Iterator[LogView]:
        """Give one snapshot of the log of this number; raises UnknownLogError."""
        with self._database.look() as conn:
            yield view_log(conn, log_of_number(conn, log_id))


def view_log(conn: Connection, log: LogRow) -> LogView:
    """Return the log as the snapshot of `conn` has it."""
    return LogView(conn, log, read_head(conn, log.id))


class LogView:
    """One log in one snapshot. It is a `TileReader` of the published tree."""

    __slots__ = ("_conn", "_head", "_tiles", "log")

    def __init__(self, conn: Connection, log: LogRow, head: Head) -> None:
        """Use `view_log` or `LogReader`."""
        self.log = log
        self._conn = conn
        self._head = head
        self._tiles = StoredTiles(conn, log.id)

    @property
    def end(self) -> int:
        """Before which index entries can stand: those beyond `size` are written and about to be signed."""
        return self.size if self._head.intent is None else max(self.size, self._head.intent.size)

    @property
    def size(self) -> TreeSize:
        """How many entries are published."""
        return self._head.size

    def checkpoint(self) -> PublishedCheckpoint:
        """The newest note of the newest checkpoint; raises UnknownCheckpointError before the first.

        Raises CorruptLogError when the head is not what was signed.
        """
        row = self._checkpoint_row(self.size)
        if row.root != self._head.root:
            raise CorruptLogError(log_id=self.log.id, problem="the head is not its checkpoint")
        if row.fresh_note is None:
            return self._first_note(row)
        return PublishedCheckpoint(self.log, row.size, row.root, row.fresh_note)

    def checkpoint_at(self, size: int) -> PublishedCheckpoint:
        """The first note of the checkpoint of exactly this size; raises UnknownCheckpointError."""
        return self._first_note(self._checkpoint_row(size))

    def first_checkpoint_covering(self, index: int) -> PublishedCheckpoint:
        """The first checkpoint over an entry, the one its receipt has; raises UnknownEntryError."""
        self._check_index(index)
        return self._first_note(self._conn.execute(_FIRST_OVER, {"log": self.log.id, "index": index}).one())

    def entry(self, index: int) -> bytes:
        """The bytes of an entry; raises UnknownEntryError."""
        self._check_index(index)
        entry: bytes | None = self._conn.execute(_ENTRY, {"log": self.log.id, "index": index}).scalar()
        if entry is None:
            raise UnknownEntryError(index=index)
        return entry

    def index_of(self, record: int) -> LeafIndex:
        """Where a record stands; raises NotSequencedError until it is published."""
        index: int | None = self._conn.execute(_INDEX, {"log": self.log.id, "record": record}).scalar()
        if index is None or index >= self.size:
            raise NotSequencedError
        return LeafIndex(index)

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile (C2SP tlog-tiles); raises TileMissingError if not published."""
        published = (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH
        if not 1 <= width <= min(TILE_WIDTH, published):
            raise TileMissingError(level=level, index=index, width=width)
        return self._tiles.read_tile(level, index, width)

    def bundle(self, index: int, width: int) -> bytes:
        """The first `width` entries of an entry bundle (C2SP tlog-tiles); raises TileMissingError."""
        first = index * TILE_WIDTH
        if not 1 <= width <= TILE_WIDTH or first + width > self.size:
            raise TileMissingError(level="entries", index=index, width=width)
        wanted = (
            select(log_entries.c.entry)
            .where(log_entries.c.log_id == self.log.id)
            .where(log_entries.c.idx >= first, log_entries.c.idx < first + width)
            .order_by(log_entries.c.idx)
        )
        entries = list(self._conn.execute(wanted).scalars())
        leaves = b"".join(leaf_hash(entry) for entry in entries)
        if leaves != self.read_tile(0, index, width):
            raise TileMissingError("The entries of this bundle do not belong to the tree.", index=index)
        return format_bundle(entries)

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The inclusion proof of an entry in the tree of `size` entries, checked from the entry's bytes.

        Raises UnknownEntryError, and InclusionError when what is stored does not add up.
        """
        if not 0 <= index < size <= self.size:
            raise UnknownEntryError(index=index, size=size)
        proof = prove_inclusion(self, LeafIndex(index), TreeSize(size))
        leaf = leaf_hash(self.entry(index))
        check_inclusion(
            leaf, index=LeafIndex(index), size=TreeSize(size), root=self.root_at(size), proof=proof
        )
        return proof

    def prove_consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """The checked proof that the tree of `second` entries begins with that of `first`.

        Raises UnknownCheckpointError for sizes that are not published, and ConsistencyError when what is
        stored does not add up.
        """
        if not 0 <= first <= second <= self.size:
            raise UnknownCheckpointError(first=first, second=second)
        proof = prove_consistency(self, TreeSize(first), TreeSize(second))
        check_consistency(
            first=TreeSize(first),
            second=TreeSize(second),
            first_root=self.root_at(first),
            second_root=self.root_at(second),
            proof=proof,
        )
        return proof

    def root_at(self, size: int) -> RootHash:
        """The root that was signed for this size, or that the tiles give where no checkpoint was."""
        root: bytes | None = self._conn.execute(_ROOT, {"log": self.log.id, "size": size}).scalar()
        return tree_root(self, TreeSize(size)) if root is None else RootHash(root)

    def _checkpoint_row(self, size: int) -> Row[Any]:
        row = self._conn.execute(_CHECKPOINT, {"log": self.log.id, "size": size}).first()
        if row is None:
            raise UnknownCheckpointError(size=size)
        return row

    def _first_note(self, row: Row[Any]) -> PublishedCheckpoint:
        return PublishedCheckpoint(self.log, row.size, row.root, row.note)

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise UnknownEntryError(index=index, size=self.size)


# Built once: building a statement costs as much as running it.
_ENTRY: Final = select(log_entries.c.entry).where(
    log_entries.c.log_id == bindparam("log"), log_entries.c.idx == bindparam("index")
)
_INDEX: Final = select(log_entries.c.idx).where(
    log_entries.c.record == bindparam("record"), log_entries.c.log_id == bindparam("log")
)
_CHECKPOINT: Final = select(checkpoints).where(
    checkpoints.c.log_id == bindparam("log"), checkpoints.c.size == bindparam("size")
)
_ROOT: Final = _CHECKPOINT.with_only_columns(checkpoints.c.root)
_FIRST_OVER: Final = (
    select(checkpoints)
    .where(checkpoints.c.log_id == bindparam("log"), checkpoints.c.size > bindparam("index"))
    .order_by(checkpoints.c.size)
    .limit(1)
)
