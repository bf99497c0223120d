"""Keys that writers gave their writes: looked up by the batch, so that repeating a write does nothing new."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from ledger_service.records.tables import idempotency_keys
from ledger_service.storage.rows import insert_rows, select_matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from ledger_service.records.preparation import WriteToken

_COLUMNS: Final = ("org_id", "key", "line", "record", "fingerprint")
_MOST_SPREAD: Final = 4
_LINES: Final = select(*[idempotency_keys.c[name] for name in _COLUMNS]).where(
    idempotency_keys.c.org_id == bindparam("org"),
    idempotency_keys.c.key == bindparam("key"),
    idempotency_keys.c.line.between(bindparam("first"), bindparam("last")),
)


class KnownWrite(NamedTuple):
    """What a key was used for."""

    record: int
    fingerprint: bytes


def find_known(
    conn: Connection, tokens: Iterable[tuple[int, WriteToken]]
) -> dict[tuple[int, bytes, int], KnownWrite]:
    """Return what is known of these (organization, token) pairs, by (organization, key, line)."""
    singles: defaultdict[int, list[bytes]] = defaultdict(list)
    bulk: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for org_id, (key, line, _) in tokens:
        if line:
            bulk[org_id, key].append(line)
        else:
            singles[org_id].append(key)
    found: list[Sequence[Any]] = []
    for org_id, keys in singles.items():
        found += select_matching(
            conn, idempotency_keys, _COLUMNS, equal={"org_id": org_id, "line": 0}, among=("key", keys)
        )
    for (org_id, key), lines in bulk.items():
        found += _find_lines(conn, org_id, key, lines)
    return {
        (org, bytes(key), line): KnownWrite(record, bytes(seen)) for org, key, line, record, seen in found
    }


def _find_lines(conn: Connection, org_id: int, key: bytes, lines: list[int]) -> Sequence[Sequence[Any]]:
    first, last = min(lines), max(lines)
    if last - first < _MOST_SPREAD * len(lines):
        # The lines of a bulk request come side by side, and mostly for the first time: one look finds none.
        asked = {"org": org_id, "key": key, "first": first, "last": last}
        return conn.execute(_LINES, asked).all()
    return select_matching(
        conn, idempotency_keys, _COLUMNS, equal={"org_id": org_id, "key": key}, among=("line", lines)
    )


def store_tokens(conn: Connection, rows: list[tuple[int, bytes, int, int, bytes]]) -> None:
    """Remember (organization, key, line, record, fingerprint)."""
    insert_rows(conn, idempotency_keys, _COLUMNS, rows)
