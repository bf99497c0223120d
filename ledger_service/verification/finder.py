"""An organization's own records, found again: filtered, newest first, in pages that stay stable."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from ledger_service.errors import BadRequestError
from ledger_service.log.directory import LogRow, log_of_number
from ledger_service.log.tables import log_entries, logs
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.status import ACTIVE
from ledger_service.proofs.types import LeafIndex
from ledger_service.records.search import (
    Span,
    earliest_above,
    find_position,
    walk_kinds,
    walk_reference,
)
from ledger_service.records.tables import status_changes
from ledger_service.storage.metadata import from_instant, to_instant
from ledger_service.storage.rows import select_matching
from ledger_service.vault.blind_index import blind_index
from ledger_service.verification.anchors import FINAL
from ledger_service.verification.stages import StageBounds, read_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from ledger_service.proofs.types import Origin
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring

MOST_EXAMINED: Final = 10_000
"""Records that one page looks at; a page that met few fitting ones is shorter than was asked for."""
_PIECE: Final = 256
# Up to so many newest records are dated to find where an early stage can begin at all.
_MOST_DATED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: a filter that is None lets all pass. `since` is included, `until` is not."""

    kinds: Sequence[str]
    stage: str | None = None
    status: str | None = None
    reference: str | None = field(default=None, repr=False)
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record as a list shows it. `index` is None until it is published."""

    id: str
    log: Origin
    kind: str
    stage: str
    status: str
    accepted: datetime
    index: LeafIndex | None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Some records, and the cursor behind which the next ones are found; None when there are no more."""

    records: tuple[FoundRecord, ...]
    cursor: str | None


class Finder:
    """Finds records for their own organization. Any number of threads may use one."""

    __slots__ = ("_database", "_keyring")

    def __init__(self, database: Database, keyring: Keyring) -> None:
        """Read from `database`; references are found through `keyring`."""
        self._database = database
        self._keyring = keyring

    def find(self, wanted: Wanted, *, org_id: int, cursor: str | None, limit: int) -> FoundPage:
        """At most `limit` records of the organization, newest first.

        A cursor is the id of the last record that the page before looked at: nobody can make one that says
        more than an id of their own, and records that are added meanwhile move nothing. Raises BadRequestError
        for a cursor that is none of this organization's records, and KeyUnavailableError when a reference is
        asked for and the organization's key does not open.
        """
        with self._database.look() as conn:
            after = None
            if cursor is not None:
                after = find_position(conn, org_id, cursor)
                if after is None:
                    raise BadRequestError("There is no such cursor.")
            return _Search(conn, wanted, org_id).page(self._walk(conn, wanted, org_id, after), limit=limit)

    def _walk(
        self, conn: Connection, wanted: Wanted, org_id: int, after: Row[Any] | None
    ) -> Iterator[Row[Any]]:
        if wanted.reference is not None:
            key = self._keyring.index_key(conn, org_id)
            if key is None:
                return iter(())
            return walk_reference(conn, org_id, blind_index(key, "reference", wanted.reference), after=after)
        since = None if wanted.since is None else to_instant(wanted.since)
        until = None if wanted.until is None else to_instant(wanted.until)
        if wanted.stage is not None and wanted.stage != FINAL:
            since = max(filter(None, (since, _earliest_unfinal(conn, org_id))), default=None)
        return walk_kinds(conn, org_id, wanted.kinds, span=Span(since, until), after=after)


class _Search:
    """One page in one snapshot."""

    def __init__(self, conn: Connection, wanted: Wanted, org_id: int) -> None:
        self._conn = conn
        self._wanted = wanted
        self._org_id = org_id
        self._states: dict[int, str] = {}
        self._logs: dict[int, tuple[LogRow, StageBounds]] = {}

    def page(self, rows: Iterator[Row[Any]], *, limit: int) -> FoundPage:
        fitting: list[Row[Any]] = []
        last = None
        for examined, row in enumerate(self._with_states(rows), start=1):
            if len(fitting) == limit or examined > MOST_EXAMINED:
                # There is one more row at least: the next page begins behind the last that was looked at.
                assert last is not None
                return FoundPage(self._describe(fitting), encode_base64url(bytes(last.rid)))
            last = row
            if self._fits(row):
                fitting.append(row)
        return FoundPage(self._describe(fitting), None)

    def _with_states(self, rows: Iterator[Row[Any]]) -> Iterator[Row[Any]]:
        """The same rows; the published states of each are known when it comes."""
        while piece := list(islice(rows, _PIECE)):
            changes = select_matching(
                self._conn,
                status_changes,
                ("explanation", "record", "state"),
                equal={},
                among=("record", [row.id for row in piece]),
            )
            logs_of = {row.id: row.log_id for row in piece}
            for explanation, record, state in sorted(changes):
                if explanation <= self._log(logs_of[record])[1].published:
                    self._states[record] = state
            yield from piece

    def _log(self, log_id: int) -> tuple[LogRow, StageBounds]:
        if log_id not in self._logs:
            self._logs[log_id] = (log_of_number(self._conn, log_id), read_bounds(self._conn, log_id))
        return self._logs[log_id]

    def _stage(self, row: Row[Any]) -> str:
        return self._log(row.log_id)[1].stage_of(row.id)

    def _fits(self, row: Row[Any]) -> bool:
        wanted = self._wanted
        accepted = from_instant(row.accepted)
        return (
            row.kind in wanted.kinds
            and (wanted.stage is None or self._stage(row) == wanted.stage)
            and (wanted.status is None or self._states.get(row.id, ACTIVE) == wanted.status)
            and (wanted.since is None or wanted.since <= accepted)
            and (wanted.until is None or accepted < wanted.until)
        )

    def _describe(self, rows: Sequence[Row[Any]]) -> tuple[FoundRecord, ...]:
        numbers = [row.id for row in rows]
        places = select_matching(
            self._conn, log_entries, ("record", "idx"), equal={}, among=("record", numbers)
        )
        indexes = dict(places)
        found = []
        for row in rows:
            log, bounds = self._log(row.log_id)
            published = row.id <= bounds.published
            found.append(
                FoundRecord(
                    id=encode_base64url(bytes(row.rid)),
                    log=log.origin,
                    kind=row.kind,
                    stage=bounds.stage_of(row.id),
                    status=self._states.get(row.id, ACTIVE),
                    accepted=from_instant(row.accepted),
                    index=LeafIndex(indexes[row.id]) if published else None,
                )
            )
        return tuple(found)


def _earliest_unfinal(conn: Connection, org_id: int) -> int | None:
    """Before this instant all of the organization's records are final; None when that is not cheap to tell."""
    own = conn.execute(select(logs.c.id).where(logs.c.org_id == org_id)).scalars().all()
    final = [read_bounds(conn, log_id).final for log_id in own]
    return earliest_above(conn, min(final), at_most=_MOST_DATED) if final else None
