"""The auditor's own tree: grown leaf by leaf from the entries' hashes, beside the tiles that are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ledger_service.errors import TileMissingError
from ledger_service.log.tables import log_tiles
from ledger_service.log.tiles import StoredTiles
from ledger_service.proofs.merkle import EMPTY_ROOT, HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, node_hash
from ledger_service.proofs.types import RootHash

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.findings import AuditReport


class AuditTree:
    """Computes roots as the log grows, and compares each tile with the stored one when it is full."""

    __slots__ = ("_conn", "_log_id", "_origin", "_peaks", "_report", "_rows", "_seen", "size")

    def __init__(self, conn: Connection, log_id: int, *, origin: str, report: AuditReport) -> None:
        """Start with the empty tree of one log."""
        self._conn = conn
        self._log_id = log_id
        self._origin = origin
        self._report = report
        # Heads of perfect subtrees from left to right, with their heights; and the hashes of each
        # level's last tile.
        self._peaks: list[tuple[int, bytes]] = []
        self._rows: list[list[bytes]] = []
        self._seen: list[int] = []
        self.size = 0

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._add_to_tile(0, leaf)
        height, head = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            head = node_hash(self._peaks.pop()[1], head)
            height += 1
            if height % TILE_HEIGHT == 0:
                self._add_to_tile(height // TILE_HEIGHT, head)
        self._peaks.append((height, head))
        self.size += 1

    def root(self) -> RootHash:
        """The root of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        head = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            head = node_hash(left, head)
        return RootHash(head)

    def finish(self) -> None:
        """Compare the partial tiles, and report tiles that belong to no entry."""
        for level, row in enumerate(self._rows):
            if row:
                self._compare(level, self._seen[level], row)
                self._seen[level] += 1
        stored = self._conn.execute(
            select(log_tiles.c.level, func.count())
            .where(log_tiles.c.log_id == self._log_id)
            .group_by(log_tiles.c.level)
        )
        for level, count in stored:
            seen = self._seen[level] if level < len(self._seen) else 0
            if count > seen:
                self._report.add(
                    "extra_tile", f"{self._origin} level {level}", f"{count - seen} tiles too many"
                )

    def _add_to_tile(self, level: int, hash_: bytes) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._seen.append(0)
        row = self._rows[level]
        row.append(hash_)
        if len(row) == TILE_WIDTH:
            self._compare(level, self._seen[level], row)
            self._seen[level] += 1
            row.clear()

    def _compare(self, level: int, index: int, row: list[bytes]) -> None:
        self._report.looked_at["tiles"] += 1
        where = f"{self._origin} tile {level}/{index}"
        try:
            stored = StoredTiles(self._conn, self._log_id).stored(level, index)
        except TileMissingError:
            self._report.add("tile_missing", where, "the tile is not stored")
            return
        if stored != b"".join(row):
            wrong = sum(stored[i * HASH_SIZE : (i + 1) * HASH_SIZE] != hash_ for i, hash_ in enumerate(row))
            self._report.add("tile_wrong", where, f"{wrong} of {len(row)} hashes differ, or its width does")
