"""The tiles of one log as they are stored."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger_service.errors import TileMissingError
from ledger_service.log.tables import log_tiles
from ledger_service.proofs.merkle import HASH_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


class StoredTiles:
    """Reads tiles in the caller's transaction, each once. What it has read it keeps after the transaction."""

    __slots__ = ("_conn", "_log_id", "_read")

    def __init__(self, conn: Connection, log_id: int) -> None:
        """Read the tiles of one log through `conn`."""
        self._conn: Connection | None = conn
        self._log_id = log_id
        self._read: dict[tuple[int, int], bytes] = {}

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile; raises TileMissingError."""
        tile = self._read.get((level, index))
        if tile is None:
            tile = self._read[level, index] = self._load(level, index)
        if len(tile) < width * HASH_SIZE:
            raise TileMissingError(level=level, index=index, width=width)
        return tile[: width * HASH_SIZE]

    def stored(self, level: int, index: int) -> bytes:
        """Return all of a tile that is stored; raises TileMissingError."""
        self.read_tile(level, index, 1)
        return self._read[level, index]

    def detach(self) -> None:
        """Read nothing any more: from now on a tile that was not read is missing."""
        self._conn = None

    def _load(self, level: int, index: int) -> bytes:
        found = None
        if self._conn is not None:
            places = {"log": self._log_id, "level": level, "index": index}
            found = self._conn.execute(_SELECT, places).scalar()
        if found is None:
            raise TileMissingError(level=level, index=index)
        return bytes(found)


_SELECT = select(log_tiles.c.hashes).where(
    log_tiles.c.log_id == bindparam("log"),
    log_tiles.c.level == bindparam("level"),
    log_tiles.c.idx == bindparam("index"),
)


def store_tiles(conn: Connection, log_id: int, tiles: Mapping[tuple[int, int], bytes]) -> None:
    """Write tiles as they are now, over what was stored of them."""
    rows = [
        {"log_id": log_id, "level": level, "idx": index, "hashes": hashes}
        for (level, index), hashes in tiles.items()
    ]
    conn.execute(_upsert(conn.dialect.name), rows)


@lru_cache(maxsize=2)
def _upsert(dialect: str) -> Any:
    insert = (sqlite if dialect == "sqlite" else postgresql).insert(log_tiles)
    return insert.on_conflict_do_update(
        index_elements=["log_id", "level", "idx"], set_={"hashes": insert.excluded.hashes}
    )
