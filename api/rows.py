"""Streams of rows: how they come in (NDJSON or CSV), and how what became of each goes out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from api.errors import format_problem, status_of
from api.streams import TOO_LONG, read_lines
from ledger_service.errors import (
    BadRequestError,
    BodyTooLargeError,
    InternalError,
    LedgerError,
    TooManyRowsError,
)
from ledger_service.records.csv_rows import CsvRows, format_cells, join_records
from ledger_service.records.outcomes import Acceptable, Rejected, Replayed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.streams import Readable, Spool
    from ledger_service.log.bulk_writer import LineResult
    from ledger_service.records.kinds import Kind

_log: Final = structlog.get_logger("api")

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
MOST_ROWS: Final = 100_000
# An entry has at most 64 KiB; a payload of a thousand items is larger than its entry.
LARGEST_PAYLOAD: Final = 262_144
_COLUMNS: Final = ("row", "status", "id", "log", "index", "stage", "code", "detail", "errors")
_PIECE: Final = 65_536


class Rows:
    """The rows of one request as lines of JSON, numbered from 1; a CSV's header is not counted.

    A row that cannot be a line keeps its place, so that rows keep their numbers: `refused` says why. When
    rows end before the stream does, `failure` says why the rest has no answer.
    """

    def __init__(self, stream: Readable, kind: Kind, *, media: str) -> None:
        """Read nothing yet."""
        self._stream = stream
        self._kind = kind
        self._media = media
        self.refused: dict[int, LedgerError] = {}
        self.failure: LedgerError | None = None

    def lines(self) -> Iterator[bytes]:
        """Each row, at most MOST_ROWS."""
        number = 0
        try:
            for line in self._csv() if self._media == CSV else self._ndjson():
                if number == MOST_ROWS:
                    self.failure = TooManyRowsError(limit=MOST_ROWS)
                    break
                number += 1
                if isinstance(line, LedgerError):
                    self.refused[number] = line
                    yield b""
                else:
                    yield line
        except LedgerError as error:
            self.failure = error
        # A client that still writes would not read the answer otherwise; one whose body broke off writes no more.
        with suppress(BadRequestError):
            while self._stream.read(_PIECE):
                pass

    def _ndjson(self) -> Iterator[bytes | LedgerError]:
        for line in read_lines(self._stream, limit=LARGEST_PAYLOAD):
            yield line if isinstance(line, bytes) else BodyTooLargeError(limit=LARGEST_PAYLOAD)

    def _csv(self) -> Iterator[bytes | LedgerError]:
        records = join_records(self._whole_lines(), limit=LARGEST_PAYLOAD)
        header = next(records, None)
        if header is None:
            return
        rows = CsvRows(self._kind, header)
        for record in records:
            try:
                yield rows.line(record)
            except LedgerError as error:
                yield error

    def _whole_lines(self) -> Iterator[bytes]:
        for line in read_lines(self._stream, limit=LARGEST_PAYLOAD):
            if line is TOO_LONG:
                # Whether a quote stood in it is not known.
                raise BodyTooLargeError(limit=LARGEST_PAYLOAD)
            assert isinstance(line, bytes)
            yield line


class Results:
    """Writes what became of each row, as a line of NDJSON or a record of CSV."""

    def __init__(self, rows: Rows, *, origin: str, media: str) -> None:
        """Speak of records in the log `origin`."""
        self._rows = rows
        self._origin = origin
        self._csv = media == CSV

    def write(self, results: Iterator[LineResult], spool: Spool) -> None:
        """Put every line into the spool, until nobody reads it any more."""
        if self._csv:
            spool.put(format_cells(_COLUMNS))
        for line in self.lines(results):
            spool.put(self._format(line))
            if spool.abandoned:
                return

    def lines(self, results: Iterator[LineResult]) -> Iterator[dict[str, object]]:
        """What became of every row, and as the last line why the rest has no answer, if that is so."""
        row = 0
        failure: LedgerError | None
        try:
            for result in results:
                row = result.line
                yield self._describe(result)
            failure = self._rows.failure
        except LedgerError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  the stream's last line says that the rest has no answer
            _log.error("defect", kind=type(error).__name__, exc_info=error)
            failure = InternalError()
        if failure is not None:
            yield _describe_failure(row + 1, failure)

    def _describe(self, result: LineResult) -> dict[str, object]:
        outcome = result.outcome
        if isinstance(outcome, Rejected):
            return _describe_failure(result.line, self._rows.refused.pop(result.line, outcome.error))
        if isinstance(outcome, Acceptable):
            return {"row": result.line, "status": 201, "log": self._origin}
        published = result.position is not None
        status = 200 if isinstance(outcome, Replayed) else 201 if published else 202
        line: dict[str, object] = {
            "row": result.line,
            "status": status,
            "id": outcome.id,
            "log": self._origin,
        }
        if result.position is not None:
            line |= {"index": result.position.index, "stage": "published"}
        elif status != 200:  # noqa: PLR2004  a repeated record may have come further than accepted
            line["stage"] = "accepted"
        return line

    def _format(self, line: dict[str, object]) -> bytes:
        if not self._csv:
            return orjson.dumps(line, default=str) + b"\n"
        if "errors" in line:
            line = line | {"errors": orjson.dumps(line["errors"], default=str).decode()}
        return format_cells(line.get(name) for name in _COLUMNS)


def _describe_failure(row: int, error: LedgerError) -> dict[str, object]:
    problem = format_problem(error)
    return {"row": row, "status": status_of(error)} | {
        name: problem[name] for name in ("code", "detail", "errors") if name in problem
    }
