"""Reading again what was written, before anything is signed over it.

Nothing that a signature covers comes from memory: entries are hashed again from the rows that the
database gives back, the stored tiles must be exactly what these hashes make of the tiles before, and the
head that is signed already must be a prefix of the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from ledger_service.errors import ConsistencyError, CorruptLogError, TileMissingError
from ledger_service.log.tables import log_entries
from ledger_service.log.tiles import StoredTiles
from ledger_service.proofs.merkle import (
    check_consistency,
    extend_tiles,
    leaf_hash,
    prove_consistency,
    tree_root,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.heads import Head


@dataclass(frozen=True, slots=True)
class Reread:
    """What the intent covers and the head does not: records by index, and the tiles to prove them."""

    records: tuple[int, ...]
    tiles: StoredTiles


_ENTRIES = (
    select(log_entries.c.idx, log_entries.c.record, log_entries.c.leaf, log_entries.c.entry)
    .where(log_entries.c.log_id == bindparam("log"), log_entries.c.idx >= bindparam("first"))
    .order_by(log_entries.c.idx)
)


def reread_intent(conn: Connection, head: Head) -> Reread:
    """Return what is stored between head and intent, once all of it agrees; raises CorruptLogError."""
    intent = head.intent
    assert intent is not None
    records, leaves = _reread_entries(conn, head)
    if head.size + len(leaves) != intent.size:
        raise _corrupt(head, "the entries do not reach the intended size")
    tiles = StoredTiles(conn, head.log_id)
    try:
        if tree_root(tiles, head.size) != head.root:
            raise _corrupt(head, "the tiles do not give the root that is signed")
        changed, root = extend_tiles(tiles, head.size, leaves)
        if root != intent.root:
            raise _corrupt(head, "the entries do not give the intended root")
        # What extend_tiles read are the left parts of tiles that are stored in full already.
        for (level, index), hashes in changed.items():
            if tiles.stored(level, index) != hashes:
                raise _corrupt(head, f"tile {level}/{index} does not hold the hashes of the entries")
        if tree_root(tiles, intent.size) != intent.root:
            raise _corrupt(head, "the tiles do not give the intended root")
        check_consistency(
            first=head.size,
            second=intent.size,
            first_root=head.root,
            second_root=intent.root,
            proof=prove_consistency(tiles, head.size, intent.size),
        )
    except (TileMissingError, ConsistencyError) as error:
        raise _corrupt(head, error.text) from error
    tiles.detach()
    return Reread(tuple(records), tiles)


def _reread_entries(conn: Connection, head: Head) -> tuple[list[int], list[bytes]]:
    records: list[int] = []
    leaves: list[bytes] = []
    expected: int = head.size
    for index, record, leaf, entry in conn.execute(_ENTRIES, {"log": head.log_id, "first": head.size}):
        if index != expected:
            raise _corrupt(head, f"index {expected} is missing")
        if leaf_hash(entry) != leaf:
            raise _corrupt(head, f"entry {index} does not hash to its leaf")
        records.append(record)
        leaves.append(leaf)
        expected += 1
    return records, leaves


def _corrupt(head: Head, problem: str) -> CorruptLogError:
    return CorruptLogError(log_id=head.log_id, size=head.size, problem=problem)
