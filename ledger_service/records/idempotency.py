"""Keys that writers gave their writes: looked up by the batch, so that repeating a write does nothing new."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ledger_service.records.tables import idempotency_keys
from ledger_service.storage.rows import insert_rows, select_matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from ledger_service.records.preparation import WriteToken

_COLUMNS = ("org_id", "key", "line", "record", "fingerprint")


class KnownWrite(NamedTuple):
    """What a key was used for."""

    record: int
    fingerprint: bytes


def find_known(
    conn: Connection, tokens: Iterable[tuple[int, WriteToken]]
) -> dict[tuple[int, bytes, int], KnownWrite]:
    """Return what is known of these (organization, token) pairs, by (organization, key, line)."""
    wanted: defaultdict[int, defaultdict[bytes, list[int]]] = defaultdict(lambda: defaultdict(list))
    for org_id, token in tokens:
        wanted[org_id][token.key].append(token.line)
    known: dict[tuple[int, bytes, int], KnownWrite] = {}
    for org_id, lines_of in wanted.items():
        singles = [key for key, lines in lines_of.items() if lines == [0]]
        _gather(conn, known, {"org_id": org_id, "line": 0}, "key", singles)
        for key, lines in lines_of.items():
            if lines != [0]:
                _gather(conn, known, {"org_id": org_id, "key": key}, "line", set(lines))
    return known


def store_tokens(conn: Connection, rows: list[tuple[int, bytes, int, int, bytes]]) -> None:
    """Remember (organization, key, line, record, fingerprint)."""
    insert_rows(conn, idempotency_keys, _COLUMNS, rows)


def _gather(
    conn: Connection,
    known: dict[tuple[int, bytes, int], KnownWrite],
    equal: Mapping[str, int | bytes],
    name: str,
    values: Iterable[int | bytes],
) -> None:
    rows = select_matching(conn, idempotency_keys, _COLUMNS, equal=dict(equal), among=(name, values))
    for org_id, key, line, record, found in rows:
        known[org_id, bytes(key), line] = KnownWrite(record, bytes(found))
