"""A bulk request on its way: lines in, a result for each line out, in order, while more is coming in.

Three things go on at the same time for different chunks: keys are found, records are prepared (in other
processes if there are any), and the ledger thread accepts and sequences.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from ledger_service.errors import LedgerError, OverloadedError
from ledger_service.records.bulk import CHUNK_LINES, BulkChunk, subjects_of
from ledger_service.records.outcomes import Rejected
from ledger_service.records.preparation import SealingKey, WriterKeys
from ledger_service.vault.wrapping import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from datetime import datetime

    from ledger_service.clock import Clock
    from ledger_service.log.ledger_thread import LedgerThread
    from ledger_service.log.tickets import Position, Ticket
    from ledger_service.records.bulk import BulkPreparer, BulkRow
    from ledger_service.records.intake import Intake, Submission
    from ledger_service.records.kinds import Kind
    from ledger_service.records.outcomes import Acceptable, Outcome
    from ledger_service.records.preparation import LogTarget, Prepared
    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of one line, counted from 1, or would. `position` is None until its record is published."""

    line: int
    outcome: Outcome | Acceptable
    position: Position | None


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """Lines for one log. Sent again under the same key, no line is recorded twice."""

    target: LogTarget
    kind: Kind
    idempotency_key: str | None
    lines: Iterable[bytes]


class BulkWriter:
    """Writes bulk requests through the ledger thread."""

    __slots__ = ("_bound_s", "_chunk", "_clock", "_database", "_intake", "_ledger", "_preparer")

    def __init__(
        self,
        database: Database,
        intake: Intake,
        ledger: LedgerThread,
        preparer: BulkPreparer,
        *,
        clock: Clock,
        bound_s: float,
        chunk_lines: int = CHUNK_LINES,
    ) -> None:
        """Wait at most `bound_s` for a chunk to be published, then give its results without positions."""
        self._database = database
        self._intake = intake
        self._ledger = ledger
        self._preparer = preparer
        self._clock = clock
        self._bound_s = bound_s
        self._chunk = chunk_lines

    def write(self, request: BulkRequest) -> Iterator[LineResult]:
        """Write the lines and give their results in order.

        A LedgerError ends the request where it happens: results that were given hold, and the rest can
        be sent again under the same key.
        """
        keys = RequestKeys(self._database, self._intake, request)
        return self._run(request, keys, lambda start, rows: _Chunk(start, rows, self._ledger))

    def preview(self, request: BulkRequest) -> Iterator[LineResult]:
        """Say what would become of each line, storing nothing, not even a key."""
        keys = ThrowawayKeys(self._intake, request)
        return self._run(request, keys, lambda start, rows: _Previewed(start, rows, self._intake))

    def _run(
        self,
        request: BulkRequest,
        keys: RequestKeys | ThrowawayKeys,
        take: Callable[[int, list[BulkRow]], _Chunk | _Previewed],
    ) -> Iterator[LineResult]:
        lines = iter(request.lines)
        preparing: deque[tuple[int, Future[list[BulkRow]]]] = deque()
        writing: deque[_Chunk | _Previewed] = deque()
        first_line = 1
        while True:
            chunk = list(islice(lines, self._chunk))
            if chunk:
                bound = keys.bind(chunk, first_line=first_line, accepted=self._clock.now())
                preparing.append((first_line, self._preparer.submit(bound)))
                first_line += len(chunk)
            if preparing and (not chunk or len(preparing) > _PREPARING):
                start, rows = preparing.popleft()
                writing.append(take(start, rows.result()))
            if writing and (not chunk or len(writing) > _WRITING):
                yield from writing.popleft().results(self._bound_s)
            if not (chunk or preparing or writing):
                return


class RequestKeys:
    """The keys that one request needs, each found or made once. Accepting checks that they are still there."""

    __slots__ = ("_database", "_intake", "_org", "_request", "_subjects", "_writer")

    def __init__(self, database: Database, intake: Intake, request: BulkRequest) -> None:
        """Find nothing yet."""
        self._database = database
        self._intake = intake
        self._request = request
        self._writer: WriterKeys | None = None
        self._org: SealingKey | None = None
        self._subjects: dict[str, SealingKey] = {}

    def bind(self, lines: list[bytes], *, first_line: int, accepted: datetime) -> BulkChunk:
        """Return the lines with the keys that preparing them takes."""
        request = self._request
        subjects = subjects_of(request.kind, lines)
        missing = subjects - self._subjects.keys()
        if missing or self._writer is None or self._org is None:
            if len(self._subjects) > _MOST_SUBJECTS:
                self._subjects.clear()
                missing = subjects
            with self._database.write("records.keys") as conn:
                self._writer, self._org, found = self._intake.writer_keys(conn, request.target, missing)
            self._subjects |= found
        return BulkChunk(
            target=request.target,
            kind=request.kind,
            lines=lines,
            first_line=first_line,
            idempotency_key=request.idempotency_key,
            accepted=accepted.replace(microsecond=0),
            writer=self._writer,
            org=self._org,
            subjects={name: self._subjects[name] for name in subjects},
        )


class ThrowawayKeys:
    """Keys that seal what is thrown away. Only whether a write is repeated is asked with real ones."""

    __slots__ = ("_request", "_writer")

    def __init__(self, intake: Intake, request: BulkRequest) -> None:
        """Find the organization's keys, if it has any yet."""
        self._request = request
        random = (os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))
        self._writer = intake.known_writer_keys(request.target.org_id) or WriterKeys(*random)

    def bind(self, lines: list[bytes], *, first_line: int, accepted: datetime) -> BulkChunk:
        """Return the lines with keys that nobody keeps."""
        request = self._request
        thrown = SealingKey(0, 0, os.urandom(KEY_BYTES))
        return BulkChunk(
            target=request.target,
            kind=request.kind,
            lines=lines,
            first_line=first_line,
            idempotency_key=request.idempotency_key,
            accepted=accepted.replace(microsecond=0),
            writer=self._writer,
            org=thrown,
            subjects=dict.fromkeys(subjects_of(request.kind, lines), thrown),
        )


# Chunks being prepared at a time, so that two workers always have one, and chunks in the ledger thread.
_PREPARING: Final = 3
_WRITING: Final = 1
_MOST_SUBJECTS: Final = 100_000


class _Chunk:
    """A prepared chunk in the hands of the ledger thread."""

    def __init__(self, first_line: int, rows: list[BulkRow], ledger: LedgerThread) -> None:
        self._first_line = first_line
        self._rows = rows
        self._ticket = _submit(ledger, [row for row in rows if not isinstance(row, LedgerError)])

    def results(self, bound_s: float) -> Iterator[LineResult]:
        outcomes = iter(self._ticket.wait_accepted() or ())
        positions = self._ticket.wait_published(bound_s) or {}
        for line, row in enumerate(self._rows, self._first_line):
            if isinstance(row, LedgerError):
                yield LineResult(line, Rejected(row), None)
                continue
            outcome = next(outcomes)
            record = None if isinstance(outcome, Rejected) else outcome.record
            yield LineResult(line, outcome, positions.get(record) if record is not None else None)


class _Previewed:
    """A prepared chunk that goes nowhere."""

    def __init__(self, first_line: int, rows: list[BulkRow], intake: Intake) -> None:
        self._first_line = first_line
        self._rows = rows
        self._fates = intake.preview([row for row in rows if not isinstance(row, LedgerError)])

    def results(self, bound_s: float) -> Iterator[LineResult]:
        del bound_s
        fates = iter(self._fates)
        for line, row in enumerate(self._rows, self._first_line):
            yield LineResult(line, Rejected(row) if isinstance(row, LedgerError) else next(fates), None)


def _submit(ledger: LedgerThread, rows: list[Prepared | Submission]) -> Ticket:
    # A bulk request has time: it waits where a single write would be turned away.
    while True:
        try:
            return ledger.submit(rows)
        except OverloadedError:
            ledger.wait_for_room()
