"""Which logs there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from ledger_service.errors import UnknownKindError, UnknownLogError
from ledger_service.log.eras import KeyEra, read_eras
from ledger_service.log.tables import logs
from ledger_service.proofs.note import VerifierKey, parse_vkey
from ledger_service.proofs.types import Origin, TreeSize
from ledger_service.records.preparation import LogTarget
from ledger_service.storage.metadata import from_instant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row


# Built once: building a statement costs as much as running it.
_OF_ORIGIN: Final = select(logs).where(logs.c.origin == bindparam("origin"))
_OF_NUMBER: Final = select(logs).where(logs.c.id == bindparam("log"))


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log as its opening fixed it; `vkeys` are the keys named there, Ed25519 first.

    `rotated` has the eras of its keys, the opening's among them, once they were ever replaced.
    """

    id: int
    origin: Origin
    org_id: int
    org: str
    collection: str
    kinds: tuple[str, ...]
    vkeys: tuple[VerifierKey, ...]
    created: datetime
    rotated: tuple[KeyEra, ...] = ()

    @property
    def eras(self) -> tuple[KeyEra, ...]:
        """The keys of its checkpoints over time, oldest first; never empty."""
        return self.rotated or (KeyEra(0, TreeSize(0), None, self.vkeys, self.created),)

    @property
    def era(self) -> KeyEra:
        """The keys that sign now."""
        return self.eras[-1]

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
    return _one(conn, conn.execute(_OF_ORIGIN, {"origin": origin}).first())


def log_of_number(conn: Connection, log_id: int) -> LogRow:
    """The log of this number; raises UnknownLogError."""
    return _one(conn, conn.execute(_OF_NUMBER, {"log": log_id}).first())


def find_collection(conn: Connection, org_id: int, collection: str) -> LogRow:
    """The newest log of an organization's collection (a log may have successors); raises UnknownLogError."""
    wanted = select(logs).where(logs.c.org_id == org_id, logs.c.collection == collection)
    return _one(conn, conn.execute(wanted.order_by(logs.c.id.desc())).first())


def all_logs(conn: Connection) -> tuple[LogRow, ...]:
    """Every log, oldest first."""
    rows = conn.execute(select(logs).order_by(logs.c.id)).all()
    return tuple(_log_row(conn, row) for row in rows)


def _one(conn: Connection, row: Row[Any] | None) -> LogRow:
    if row is None:
        raise UnknownLogError
    return _log_row(conn, row)


def _log_row(conn: Connection, row: Row[Any]) -> LogRow:
    return LogRow(
        id=row.id,
        origin=Origin(row.origin),
        org_id=row.org_id,
        org=row.org,
        collection=row.collection,
        kinds=tuple(row.kinds.split()),
        vkeys=tuple(parse_vkey(line) for line in row.vkeys.splitlines()),
        created=from_instant(row.created),
        rotated=read_eras(conn, row.id) if row.era else (),
    )
