"""What another process has published, for the writers that wait in this one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger_service.log.directory import log_of_number
from ledger_service.log.reader import LogView, view_log
from ledger_service.log.sequencer import Sequenced
from ledger_service.log.tables import log_entries
from ledger_service.log.tickets import Position
from ledger_service.log.tiles import StoredTiles
from ledger_service.proofs.merkle import InclusionProver
from ledger_service.proofs.types import LeafIndex
from ledger_service.storage.rows import select_matching

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

    from ledger_service.storage.engine import Database


def find_published(database: Database, records: Collection[int]) -> dict[int, Position]:
    """Return where those of `records` stand that a signed checkpoint covers."""
    with database.read() as conn:
        rows = select_matching(
            conn, log_entries, ("log_id", "idx", "record"), equal={}, among=("record", records)
        )
        logs: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for log_id, index, record in rows:
            logs[log_id].append((index, record))
        found: dict[int, Position] = {}
        for log_id, places in logs.items():
            view = view_log(conn, log_of_number(conn, log_id))
            found.update(_positions(conn, view, sorted(places)))
    return found


def _positions(
    conn: Connection, view: LogView, places: list[tuple[int, int]]
) -> Iterator[tuple[int, Position]]:
    step: Sequenced | None = None
    tiles = StoredTiles(conn, view.log.id)
    for index, record in places:
        if index >= view.size:
            break
        if step is None or index >= step.size:
            first = view.first_checkpoint_covering(index)
            step = Sequenced(
                log_id=view.log.id,
                first=LeafIndex(index),
                size=first.size,
                root=first.root,
                timestamp=first.timestamp,
                note=first.note,
                records=(),
                prover=InclusionProver(tiles, first.size),
            )
        # The tiles are read now, while there is a connection; the writer makes the proof when it answers.
        step.prove(LeafIndex(index))
        yield record, Position(LeafIndex(index), step)
    tiles.detach()
