"""The records that one record points at, and those that point at it: old and new, linked both ways.

All of it stands in public entries; what is not published yet is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from ledger_service.log.tables import log_entries
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.records.tables import record_pointers, records

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Relative:
    """A record of the same log that is tied to another one."""

    id: str
    kind: str
    index: int


@dataclass(frozen=True, slots=True)
class Relatives:
    """What a record points at, and what points at it, oldest first and MOST of them."""

    earlier: Relative | None
    later: tuple[Relative, ...]


def relatives_of(conn: Connection, record: int, *, log_id: int, size: int) -> Relatives:
    """The ties of a record, by its number, within the first `size` entries of its log."""
    bounds = {"record": record, "log": log_id, "size": size}
    earlier = conn.execute(_EARLIER, bounds).first()
    later = conn.execute(_LATER, bounds).all()
    return Relatives(
        earlier=None if earlier is None else Relative(encode_base64url(bytes(earlier.rid)), *earlier[1:]),
        later=tuple(Relative(encode_base64url(bytes(row.rid)), *row[1:]) for row in later),
    )


_PUBLISHED: Final = (
    select(records.c.rid, records.c.kind, log_entries.c.idx)
    .join(log_entries, log_entries.c.record == records.c.id)
    .where(log_entries.c.log_id == bindparam("log"), log_entries.c.idx < bindparam("size"))
    .order_by(log_entries.c.idx)
    .limit(MOST)
)
_EARLIER: Final = _PUBLISHED.join(record_pointers, record_pointers.c.target == records.c.id).where(
    record_pointers.c.record == bindparam("record")
)
_LATER: Final = _PUBLISHED.join(record_pointers, record_pointers.c.record == records.c.id).where(
    record_pointers.c.target == bindparam("record")
)
