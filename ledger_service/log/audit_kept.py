"""Rows that never change once they are written, held against what the last signed report saw of them.

Where nothing else says what a row must be (an organization's name, the hash of a key's secret), an audit notes a
digest of all such rows up to the newest, and the next audit computes it again. What the first audit finds is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true

from ledger_service.proofs.audit_report import KeptRows
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection, Table

    from ledger_service.log.audit_reports import History
    from ledger_service.log.findings import AuditReport


@dataclass(frozen=True, slots=True)
class Kept:
    """The columns of a table, its number first, that never change; rows are added at the end only.

    `within` chooses the rows where each log numbers its own.
    """

    name: str
    table: Table
    columns: tuple[str, ...]
    within: ColumnElement[bool] | None = None


def audit_kept(conn: Connection, kept: Iterable[Kept], report: AuditReport, *, history: History) -> None:
    """Compare the rows with what earlier reports saw of them, and note what this one sees."""
    for each in kept:
        seen = seen_before(history, each.name)
        if seen is not None:
            compare(report, seen[0], digest_rows(conn, each, seen[0].through).digest, at=seen[1])
        report.kept.append(digest_rows(conn, each, None))


def compare(report: AuditReport, seen: KeptRows, digest: bytes, *, at: int) -> None:
    """Report it when what was seen at the instant `at` has another digest now."""
    report.looked_at["kept tables"] += 1
    if seen.digest != digest:
        words = f"what the last report saw, up to {seen.through}, is not what is there now"
        report.add("kept_changed", seen.name, words, since=at)


def seen_before(history: History, name: str) -> tuple[KeptRows, int] | None:
    """What the newest report that looked at it saw, and the instant of that; None when none did."""
    for report in reversed(history.reports):
        for each in report.kept:
            if each.name == name:
                return each, to_instant(report.time)
    return None


def digest_rows(conn: Connection, kept: Kept, through: int | None) -> KeptRows:
    """The digest of the rows up to number `through`, or of all."""
    number = kept.table.c[kept.columns[0]]
    within = true() if kept.within is None else kept.within
    if through is None:
        through = int(conn.execute(select(func.coalesce(func.max(number), 0)).where(within)).scalar_one())
    wanted = select(*[kept.table.c[name] for name in kept.columns]).where(number <= through, within)
    digest = sha256("\n".join(kept.columns).encode())
    for row in conn.execution_options(yield_per=1_000).execute(wanted.order_by(number)):
        for value in row:
            digest.update(_framed(value))
    return KeptRows(kept.name, through, digest.digest())


def _framed(value: int | str | bytes | None) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"%s %d %s\n" % (type(value).__name__.encode(), len(data), data)
