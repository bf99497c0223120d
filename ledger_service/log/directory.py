"""Which logs there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger_service.errors import UnknownKindError, UnknownLogError
from ledger_service.log.tables import logs
from ledger_service.proofs.note import VerifierKey, parse_vkey
from ledger_service.proofs.types import Origin
from ledger_service.records.preparation import LogTarget
from ledger_service.storage.metadata import from_instant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log as its opening fixed it. `vkeys` are the keys of its checkpoints, Ed25519 first."""

    id: int
    origin: Origin
    org_id: int
    org: str
    collection: str
    kinds: tuple[str, ...]
    vkeys: tuple[VerifierKey, ...]
    created: datetime

    @property
    def target(self) -> LogTarget:
        """The log as a record names it."""
        return LogTarget(self.id, self.origin, self.org_id, self.org)

    def check_kind(self, kind: str) -> None:
        """Raise UnknownKindError unless the log was opened for this kind."""
        if kind not in self.kinds:
            raise UnknownKindError("This log was not opened for records of this kind.", kind=kind[:80])


def find_log(conn: Connection, origin: str) -> LogRow:
    """The log of this origin; raises UnknownLogError."""
    return _one(conn.execute(select(logs).where(logs.c.origin == origin)).first())


def log_of_number(conn: Connection, log_id: int) -> LogRow:
    """The log of this number; raises UnknownLogError."""
    return _one(conn.execute(select(logs).where(logs.c.id == log_id)).first())


def find_collection(conn: Connection, org_id: int, collection: str) -> LogRow:
    """The newest log of an organization's collection (a log may have successors); raises UnknownLogError."""
    wanted = select(logs).where(logs.c.org_id == org_id, logs.c.collection == collection)
    return _one(conn.execute(wanted.order_by(logs.c.id.desc())).first())


def all_logs(conn: Connection) -> tuple[LogRow, ...]:
    """Every log, oldest first."""
    return tuple(_log_row(row) for row in conn.execute(select(logs).order_by(logs.c.id)))


def _one(row: Row[Any] | None) -> LogRow:
    if row is None:
        raise UnknownLogError
    return _log_row(row)


def _log_row(row: Row[Any]) -> LogRow:
    return LogRow(
        id=row.id,
        origin=Origin(row.origin),
        org_id=row.org_id,
        org=row.org,
        collection=row.collection,
        kinds=tuple(row.kinds.split()),
        vkeys=tuple(parse_vkey(line) for line in row.vkeys.splitlines()),
        created=from_instant(row.created),
    )
