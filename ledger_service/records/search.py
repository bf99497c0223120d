"""Finding records again: newest first by time and kind, or by the writer's own number for them.

Nothing here is skipped by counting: each piece begins behind a record that was seen, so what is added meanwhile
neither doubles a record nor hides one.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, bindparam, func, select, tuple_

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.records.tables import SPAN_BITS, record_counter, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row, Select

_PIECE: Final = 256
_SPANS: Final = 128
# Rows of one select have one type each; as a list of columns of any type they pass from one to another.
_COLUMNS: Final[tuple[Column[Any], ...]] = (
    records.c.id,
    records.c.rid,
    records.c.log_id,
    records.c.kind,
    records.c.accepted,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Instants of acceptance, from `since` on and before `until`; None where there is no bound."""

    since: int | None = None
    until: int | None = None


def find_position(conn: Connection, org_id: int, record_id: str) -> Row[Any] | None:
    """Where one of the organization's own records stands; None for any other text."""
    try:
        rid = decode_base64url(record_id)
    except MalformedError:
        return None
    return conn.execute(select(*_COLUMNS).where(records.c.rid == rid, records.c.org_id == org_id)).first()


def walk_kinds(
    conn: Connection, org_id: int, kinds: Sequence[str], *, span: Span, after: Row[Any] | None
) -> Iterator[Row[Any]]:
    """The organization's records of these kinds, newest first, from behind `after` on."""
    walks = [_walk_kind(conn, org_id, kind, span=span, after=after) for kind in kinds]
    return merge(*walks, key=lambda row: (row.accepted, row.id), reverse=True)


def _walk_kind(
    conn: Connection, org_id: int, kind: str, *, span: Span, after: Row[Any] | None
) -> Iterator[Row[Any]]:
    wanted = (
        select(*_COLUMNS)
        .where(records.c.org_id == org_id, records.c.kind == kind)
        .order_by(records.c.accepted.desc(), records.c.id.desc())
        .limit(_PIECE)
    )
    if span.since is not None:
        wanted = wanted.where(records.c.accepted >= span.since)
    if span.until is not None:
        wanted = wanted.where(records.c.accepted < span.until)
    while True:
        piece = wanted if after is None else _behind(wanted, after)
        rows = conn.execute(piece).all()
        yield from rows
        if len(rows) < _PIECE:
            return
        after = rows[-1]


def _behind(wanted: Select[Any], after: Row[Any]) -> Select[Any]:
    return wanted.where(tuple_(records.c.accepted, records.c.id) < tuple_(after.accepted, after.id))


# Not the bare columns: by these SQLite would walk all records of the organization instead of asking the index.
_NUMBER: Final = records.c.id + 0
_REFERENCE: Final = (
    select(*_COLUMNS)
    .where(
        records.c.reference_span.in_(bindparam("spans", expanding=True)),
        records.c.reference == bindparam("reference"),
        records.c.org_id + 0 == bindparam("org"),
        bindparam("below") > _NUMBER,
    )
    .order_by(_NUMBER.desc())
    .limit(_PIECE)
)


def walk_reference(
    conn: Connection, org_id: int, reference: bytes, *, after: Row[Any] | None
) -> Iterator[Row[Any]]:
    """The organization's records under a blind index, newest first, from behind `after` on."""
    below = last_number(conn) + 1 if after is None else after.id
    while below > 0:
        last = (below - 1) >> SPAN_BITS
        first = max(0, last - _SPANS + 1)
        asked = {"spans": range(first, last + 1), "reference": reference, "org": org_id, "below": below}
        rows = conn.execute(_REFERENCE, asked).all()
        yield from rows
        below = rows[-1].id if len(rows) == _PIECE else first << SPAN_BITS


def last_number(conn: Connection) -> int:
    """The highest number that a record has."""
    return conn.execute(select(func.max(record_counter.c.last))).scalar() or 0


def earliest_above(conn: Connection, number: int, *, at_most: int) -> int | None:
    """The earliest instant of acceptance above a number; None when more than `at_most` records are there."""
    if last_number(conn) - number > at_most:
        return None
    return conn.execute(select(func.min(records.c.accepted)).where(records.c.id > number)).scalar()
