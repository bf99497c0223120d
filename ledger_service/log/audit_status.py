"""Auditing status: what the entries of a log say about each other, read again and held against what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from ledger_service.log.tables import log_entries
from ledger_service.proofs.status import ACTIVE
from ledger_service.records.pointing import change_of
from ledger_service.records.tables import record_pointers, records, status_changes
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from ledger_service.log.directory import LogRow
    from ledger_service.log.findings import AuditReport
    from ledger_service.proofs.entry import Entry
    from ledger_service.records.kinds import Kind

_POINTED: Final = (
    select(log_entries.c.record, log_entries.c.leaf, records.c.kind)
    .join(records, records.c.id == log_entries.c.record)
    .where(log_entries.c.log_id == bindparam("log"), log_entries.c.idx == bindparam("index"))
)
_CHANGES: Final = select(status_changes).where(status_changes.c.log_id == bindparam("log"))
_POINTERS: Final = (
    select(record_pointers.c.record, record_pointers.c.target)
    .join(records, records.c.id == record_pointers.c.record)
    .where(records.c.log_id == bindparam("log"))
)


class StatusAudit:
    """Derives pointers and status changes of one log from its entries, which `see` shows in order."""

    __slots__ = ("_changes", "_conn", "_kinds", "_log", "_pointers", "_report", "_states")

    def __init__(
        self, conn: Connection, log: LogRow, *, report: AuditReport, kinds: Mapping[str, Kind]
    ) -> None:
        """Nothing is derived yet; `kinds` say what their entries change."""
        self._conn = conn
        self._log = log
        self._report = report
        self._kinds = kinds
        self._states: dict[int, str] = {}
        self._pointers: dict[int, int] = {}
        self._changes: dict[int, tuple[Any, ...]] = {}

    def see(self, entry: Entry, record: int, where: str, *, place: int) -> None:
        """Read one entry, which stands or will stand at index `place`."""
        claim = entry.claim
        pointer = claim.target or claim.previous
        if pointer is None:
            return
        row = self._conn.execute(_POINTED, {"log": self._log.id, "index": pointer.index}).first()
        if (
            row is None
            or (pointer.log, row.leaf) != (self._log.origin, pointer.leaf)
            or pointer.index >= place
        ):
            self._report.add("pointer_wrong", where, "it points at no earlier entry of its log")
            return
        self._pointers[record] = row.record
        kind, pointed = self._kinds.get(claim.kind), self._kinds.get(row.kind)
        change = None if kind is None else change_of(claim, kind, accepted=entry.accepted)
        if change is None:
            return
        _, effect, since = change
        state = self._states.get(row.record, ACTIVE)
        if pointed is None or (state, effect.state) not in pointed.changes:
            # What a correction replaces is superseded already when its replacement says so too.
            if (state, effect.state) != ("superseded", "superseded") or claim.previous is None:
                self._report.add("status_impossible", where, f"{state} does not become {effect.state}")
            return
        self._states[row.record] = effect.state
        moments = (to_instant(since), to_instant(entry.accepted))
        self._changes[record] = (row.record, effect.state, effect.reason, *moments)

    def finish(self) -> None:
        """Compare what was derived with what is stored."""
        asked = {"log": self._log.id}
        stored = {
            row.explanation: (row.record, row.state, row.reason, row.since, row.accepted)
            for row in self._conn.execute(_CHANGES, asked)
        }
        pointers = {row.record: row.target for row in self._conn.execute(_POINTERS, asked)}
        self._compare("status_differs", self._changes, stored)
        self._compare("pointer_differs", self._pointers, pointers)
        self._report.looked_at["status changes"] += len(stored)

    def _compare(self, code: str, said: Mapping[int, object], stored: Mapping[int, object]) -> None:
        for record in sorted(said.keys() | stored.keys()):
            if said.get(record) != stored.get(record):
                where = f"{self._log.origin} record {record}"
                self._report.add(code, where, "what is stored is not what its entry says")
