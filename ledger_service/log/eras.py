"""The keys of a log over time. An era ends at the size at which the next one begins, never at a time.

A log's checkpoints up to that size keep the signatures they have; above it only the new keys sign. The
transaction that begins an era finds nothing intended and nobody signing, so no checkpoint ever stands
between two eras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from ledger_service.errors import NotSequencedError
from ledger_service.log.heads import read_head
from ledger_service.log.tables import log_eras, logs
from ledger_service.proofs.note import VerifierKey, format_vkey, parse_vkey
from ledger_service.proofs.types import TreeSize
from ledger_service.storage.metadata import from_instant, to_instant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True)
class EraKeys:
    """The public keys of one era: of checkpoints (Ed25519 first), of statuses, of acceptances."""

    vkeys: tuple[VerifierKey, ...]
    status: VerifierKey
    acceptance: VerifierKey


@dataclass(frozen=True, slots=True)
class KeyEra:
    """Keys that sign heads from size `from_size` to `to_size`, both included (None: to this day).

    `status` and `acceptance` are None in a log whose keys were never replaced: its key files know them.
    `leaked` keys must be believed to be in other hands.
    """

    number: int
    from_size: TreeSize
    to_size: TreeSize | None
    vkeys: tuple[VerifierKey, ...]
    began: datetime
    status: VerifierKey | None = None
    acceptance: VerifierKey | None = None
    leaked: bool = False

    def covers(self, size: int) -> bool:
        """Whether its keys speak for a head of this size."""
        return self.from_size <= size and (self.to_size is None or size <= self.to_size)


def read_eras(conn: Connection, log_id: int) -> tuple[KeyEra, ...]:
    """The eras of a log whose keys were replaced, oldest first; empty for any other log."""
    wanted = select(log_eras).where(log_eras.c.log_id == log_id).order_by(log_eras.c.era)
    rows = conn.execute(wanted).all()
    ends = [TreeSize(row.from_size) for row in rows[1:]]
    return tuple(
        KeyEra(
            number=row.era,
            from_size=TreeSize(row.from_size),
            to_size=end,
            vkeys=tuple(parse_vkey(line) for line in row.vkeys.splitlines()),
            began=from_instant(row.began),
            status=parse_vkey(row.status_vkey),
            acceptance=parse_vkey(row.acceptance_vkey),
            leaked=bool(row.leaked),
        )
        for row, end in zip(rows, [*ends, None], strict=True)
    )


def current_era(database: Database, origin: str) -> int:
    """The number of the era that signs now for the log of this origin."""
    with database.read() as conn:
        return int(conn.execute(select(logs.c.era).where(logs.c.origin == origin)).scalar_one())


def begin_era(
    database: Database, log_id: int, *, before: EraKeys, after: EraKeys, leaked: bool, clock: Clock
) -> TreeSize | None:
    """Let other keys sign a log from the size on that is signed now, which is returned; durable on return.

    `before` are the keys of the present era. None, and nothing done, while a checkpoint is being signed: try
    again. Raises NotSequencedError for a log without a checkpoint.
    """
    now = to_instant(clock.now().replace(microsecond=0))
    with database.write("log.rotate") as conn:
        head = read_head(conn, log_id, lock=True)
        if head.size == 0:
            raise NotSequencedError("The log has no signed checkpoint yet: start the service first.")
        if head.intent is not None:
            return None
        log = conn.execute(select(logs.c.era, logs.c.created).where(logs.c.id == log_id)).one()
        if log.era == 0:
            _insert(conn, log_id, 0, before, size=0, began=log.created)
        if leaked:
            present = (log_eras.c.log_id == log_id, log_eras.c.era == log.era)
            conn.execute(update(log_eras).where(*present).values(leaked=1))
        _insert(conn, log_id, log.era + 1, after, size=head.size, began=now)
        conn.execute(update(logs).where(logs.c.id == log_id).values(era=log.era + 1))
    return head.size


def _insert(conn: Connection, log_id: int, era: int, keys: EraKeys, *, size: int, began: int) -> None:
    values = {
        "log_id": log_id,
        "era": era,
        "from_size": size,
        "vkeys": "\n".join(format_vkey(key) for key in keys.vkeys),
        "status_vkey": format_vkey(keys.status),
        "acceptance_vkey": format_vkey(keys.acceptance),
        "began": began,
        "leaked": 0,
    }
    conn.execute(insert(log_eras).values(values))
