"""Where records stand in their logs, for the transaction that accepts what points at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from ledger_service.errors import UnknownEntryError
from ledger_service.log.tables import log_entries, log_heads, logs
from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.types import LeafHash
from ledger_service.records.history import waiting_entry

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

_PUBLISHED: Final[Select[Any]] = (
    select(logs.c.origin, log_entries.c.idx, log_entries.c.leaf)
    .join(log_heads, log_heads.c.log_id == log_entries.c.log_id)
    .join(logs, logs.c.id == log_entries.c.log_id)
    # What lies beyond the signed head may still be signed by nobody.
    .where(log_entries.c.record == bindparam("record"), log_entries.c.idx < log_heads.c.size)
)
_ENTRY: Final = select(log_entries.c.entry).where(log_entries.c.record == bindparam("record"))


class StoredPlaces:
    """A `records.pointing.Places` over the log package's tables."""

    __slots__ = ()

    def published(self, conn: Connection, record: int) -> Pointer | None:
        """Where a record is published, or None if it is not yet."""
        row = conn.execute(_PUBLISHED, {"record": record}).first()
        return None if row is None else Pointer(row.origin, row.idx, LeafHash(bytes(row.leaf)))

    def entry(self, conn: Connection, record: int) -> bytes:
        """The entry of a record that was accepted; raises UnknownEntryError."""
        waiting = waiting_entry(conn, record)
        found = conn.execute(_ENTRY, {"record": record}).scalar() if waiting is None else waiting
        if found is None:
            raise UnknownEntryError(record=record)
        return bytes(found)
