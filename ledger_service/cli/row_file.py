"""A file of rows, NDJSON or CSV, read in bounded memory as often as needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.errors import InvalidPayloadError
from ledger_service.records.csv_rows import CsvRows, join_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.records.kinds import Kind

_PIECE: Final = 1 << 20
_LONGEST_RECORD: Final = 262_144


@dataclass(frozen=True, slots=True)
class Row:
    """A row as one line of JSON, its number among the rows and the line of the file where it begins.

    `refusal` says why a record of CSV could not be made a line.
    """

    number: int
    line: int
    json: bytes
    refusal: InvalidPayloadError | None = None


@dataclass(frozen=True, slots=True)
class RowFile:
    """One file. What ends in `.csv` is CSV with a header, anything else has one JSON object a line."""

    path: Path
    kind: Kind

    @property
    def is_csv(self) -> bool:
        """Whether it is read as CSV."""
        return self.path.suffix.lower() == ".csv"

    def digest(self) -> str:
        """The SHA-256 of the file and of what its rows are, in hexadecimal."""
        found = hashlib.sha256(self.kind.name.encode() + b"\x00")
        with self.path.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
        return found.hexdigest()

    def rows(self) -> Iterator[Row]:
        """Each row; raises MalformedError where a CSV cannot be read on."""
        with self.path.open("rb") as file:
            lines = (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)
            if not self.is_csv:
                for number, line in enumerate(lines, start=1):
                    yield Row(number, number, line)
                return
            yield from self._csv_rows(lines)

    def _csv_rows(self, lines: Iterator[bytes]) -> Iterator[Row]:
        taken = 0

        def counted() -> Iterator[bytes]:
            nonlocal taken
            for line in lines:
                taken += 1
                yield line

        records = join_records(counted(), limit=_LONGEST_RECORD)
        header = next(records, None)
        if header is None:
            return
        reader = CsvRows(self.kind, header)
        before = taken
        for number, record in enumerate(records, start=1):
            try:
                yield Row(number, before + 1, reader.line(record))
            except InvalidPayloadError as error:
                yield Row(number, before + 1, b"", error)
            before = taken
