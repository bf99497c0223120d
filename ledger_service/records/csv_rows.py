"""Rows of a CSV file (RFC 4180, UTF-8, a header first) as the JSON objects that kinds take.

A column is a field's name. A field that holds a list of objects may be one column of JSON, or a column for each
value, such as `items.0.sku`: the field, the position counted from 0, the member. An empty cell is an absent
field, and an item whose cells are all empty is absent. A cell is text where the kind's example has text;
elsewhere a whole number, `true`, `false`, and a JSON list or object are what they say, and anything else is
text, which the kind refuses by the field's name.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from ledger_service.errors import MalformedError
from ledger_service.records.kinds import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ledger_service.records.kinds import Kind

MOST_COLUMNS: Final = 4_096
_COLUMN: Final = re.compile(
    r"([a-z][a-z0-9_]{0,63})(?:\.(0|[1-9][0-9]{0,2})\.([a-z][a-z0-9_]{0,63}))?", re.ASCII
)
_BARE: Final = re.compile(r"(?:0|-?[1-9][0-9]{0,15}|true|false)", re.ASCII)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class _Column:
    field: str
    position: int | None
    member: str | None
    text: bool


class CsvRows:
    """Turns the records of one CSV file into lines of JSON. The header decides what each cell is."""

    def __init__(self, kind: Kind, header: bytes) -> None:
        """Read the header; raises MalformedError for one that names a column twice or strangely."""
        names = _split(header.removeprefix(b"\xef\xbb\xbf"))
        if len(set(names)) != len(names) or len(names) > MOST_COLUMNS:
            raise MalformedError("The header names a column twice, or has too many.")
        self._columns = [_parse_column(name, kind.example) for name in names]
        whole = {each.field for each in self._columns if each.member is None}
        if whole & {each.field for each in self._columns if each.member is not None}:
            raise MalformedError("The header has a field as one column and as several.")

    def line(self, record: bytes) -> bytes:
        """One record as a JSON object.

        Raises InvalidPayloadError when it has not as many cells as the header has columns, or is no CSV.
        """
        try:
            cells = _split(record)
        except MalformedError as error:
            raise refuse([{"field": "", "problem": f"is no CSV: {error.text}"}]) from None
        if len(cells) != len(self._columns):
            raise refuse([{"field": "", "problem": "has not as many cells as the header has columns"}])
        members: list[str] = []
        items: dict[str, dict[int, list[str]]] = {}
        for column, cell in zip(self._columns, cells, strict=True):
            if not cell:
                continue
            written = _quote(cell) if column.text else _value(cell)
            if column.position is None:
                members.append(f"{_quote(column.field)}:{written}")
            else:
                item = items.setdefault(column.field, {}).setdefault(column.position, [])
                item.append(f"{_quote(column.member or '')}:{written}")
        for field, found in items.items():
            joined = ",".join(f"{{{','.join(found[position])}}}" for position in sorted(found))
            members.append(f"{_quote(field)}:[{joined}]")
        return f"{{{','.join(members)}}}".encode()


def join_records(lines: Iterable[bytes], *, limit: int) -> Iterator[bytes]:
    """The records that lines without their ends make: a quoted cell may hold line ends.

    Raises MalformedError when a quote stays open to the end or for more than `limit` bytes: where records
    begin cannot be told any more.
    """
    open_: list[bytes] = []
    size = 0
    for line in lines:
        if not open_ and line.count(b'"') % 2 == 0:
            yield line
            continue
        open_.append(line)
        size += len(line)
        if len(open_) > 1 and line.count(b'"') % 2 == 1:
            yield b"\n".join(open_)
            open_, size = [], 0
        elif size > limit:
            break
    if open_:
        raise MalformedError("A quote is opened and not closed.")


def format_cells(cells: Iterable[object]) -> bytes:
    """One record of CSV. What a spreadsheet would take for a formula begins with an apostrophe."""
    written = []
    for cell in cells:
        text = "" if cell is None else str(cell)
        if text.startswith(_FORMULA):
            text = f"'{text}"
        written.append(
            f'"{text.replace(chr(34), chr(34) * 2)}"' if any(each in text for each in ',"\r\n') else text
        )
    return ",".join(written).encode() + b"\r\n"


def _parse_column(name: str, example: Mapping[str, object]) -> _Column:
    found = _COLUMN.fullmatch(name)
    if found is None:
        raise MalformedError("A column of the header is no field's name, such as buyer or items.0.sku.")
    field, position, member = found.groups()
    shown: object = example.get(field)
    if member is None:
        return _Column(field, None, None, type(shown) is str)
    first = shown[0] if isinstance(shown, list) and shown else {}
    return _Column(field, int(position), member, isinstance(first, dict) and type(first.get(member)) is str)


def _split(record: bytes) -> list[str]:
    try:
        rows = list(csv.reader([record.decode()], strict=True))
    except UnicodeDecodeError:
        raise MalformedError("It is not UTF-8.") from None
    except csv.Error:
        raise MalformedError("A quote stands where none may.") from None
    return rows[0] if rows and rows[0] else [""]


def _value(cell: str) -> str:
    if _BARE.fullmatch(cell):
        return cell
    if cell[0] in "[{":
        try:
            orjson.loads(cell)
        except orjson.JSONDecodeError:
            return _quote(cell)
        # Its own words, so that whoever reads the line strictly sees a doubled name.
        return cell
    return _quote(cell)


def _quote(text: str) -> str:
    return orjson.dumps(text).decode()
