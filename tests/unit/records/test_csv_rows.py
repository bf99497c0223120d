"""CSV rows become the JSON objects that kinds take, and nothing is guessed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import InvalidPayloadError, MalformedError
from ledger_service.government.datasets import DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.records.csv_rows import CsvRows, format_cells, join_records
from ledger_service.records.payload_text import parse_object
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


def written(cells: list[str]) -> bytes:
    """One record as a spreadsheet writes it, without its end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue().encode()


def flat(payload: dict[str, Any]) -> dict[str, str]:
    """A payload in columns, lists in one for each value."""
    columns: dict[str, str] = {}
    for field, value in payload.items():
        if isinstance(value, list):
            for position, item in enumerate(value):
                columns |= {f"{field}.{position}.{name}": str(each) for name, each in item.items()}
        else:
            columns[field] = str(value)
    return columns


@pytest.mark.parametrize("kind", [kind for kind in KINDS.all() if kind.word], ids=lambda kind: kind.name)
def test_every_kinds_example_survives(kind: Kind) -> None:
    """A kind's example as a header and a record is the same payload again, and valid."""
    columns = flat(dict(kind.example))
    rows = CsvRows(kind, b"\xef\xbb\xbf" + written(list(columns)))
    payload = parse_object(rows.line(written(list(columns.values()))))
    assert payload == kind.example
    kind.parse(payload, NOW)


def test_a_list_may_be_json_in_one_column() -> None:
    """The cell's own words are kept, so that a doubled name in it is seen."""
    rows = CsvRows(PURCHASE, b"buyer,items")
    line = rows.line(written(["me", json.dumps(EXAMPLE_PURCHASE["items"])]))
    assert parse_object(line) == {"buyer": "me", "items": EXAMPLE_PURCHASE["items"]}
    with pytest.raises(InvalidPayloadError):
        parse_object(rows.line(written(["me", '[{"sku":"a","sku":"b"}]'])))


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("amount_minor", "12", 12), ("amount_minor", "-3", -3), ("amount_minor", "007", "007"),
        ("amount_minor", "1.5", "1.5"), ("amount_minor", "1e3", "1e3"), ("amount_minor", " 1", " 1"),
        ("amount_minor", "-0", "-0"), ("amount_minor", "+1", "+1"), ("buyer", "12", "12"),
        ("buyer", "true", "true"), ("buyer", "[1]", "[1]"), ("items", "[1", "[1"), ("unknown", "true", True),
        ("amount_minor", "\u0661", "\u0661"), ("amount_minor", "9" * 17, "9" * 17), ("buyer", '"', '"'),
    ],
)  # fmt: skip
def test_a_cell_is_what_the_rule_says(column: str, cell: str, value: object) -> None:
    """Text stays text; elsewhere only what is exactly a number, a switch or a list is one."""
    assert parse_object(CsvRows(PURCHASE, column.encode()).line(written([cell]))) == {column: value}


def test_a_switch_that_the_example_lacks_is_a_switch() -> None:
    """A data set's `publish_digest` works from a CSV."""
    columns = flat(dict(DATASET.example)) | {"publish_digest": "true"}
    line = CsvRows(DATASET, written(list(columns))).line(written(list(columns.values())))
    assert DATASET.parse(parse_object(line), NOW).public


def test_empty_cells_are_absent() -> None:
    """An empty cell is no field, and an item whose cells are all empty is no item."""
    rows = CsvRows(PURCHASE, b"buyer,channel,items.0.sku,items.1.sku,items.2.sku")
    assert parse_object(rows.line(b"me,,,b,")) == {"buyer": "me", "items": [{"sku": "b"}]}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a,a",
        "items,items.0.sku",
        "items.00.sku",
        "items.0",
        "A",
        "a b",
        '"',
        "a.1000.b",
        "a,,b",
        "é",
        "=a",
    ],
)
def test_a_header_that_names_no_fields_is_refused(header: str) -> None:
    """Twice, strange or both ways: nothing is recorded under a guess."""
    with pytest.raises(MalformedError):
        CsvRows(PURCHASE, header.encode())


@pytest.mark.parametrize("record", [b"1", b"1,2,3", b'"1"x,2', b"\xff,2", b""])
def test_a_record_that_does_not_fit_is_refused_alone(record: bytes) -> None:
    """Too few cells, too many, a stray quote or other bytes than UTF-8 are that row's fault."""
    with pytest.raises(InvalidPayloadError):
        CsvRows(PURCHASE, b"buyer,channel").line(record)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_records_are_found_as_they_were_written(rows: list[tuple[str, str]]) -> None:
    """Whatever stands in quoted cells, line ends too, each record is found again and holds its cells."""
    quoted = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    lines = "\n".join(quoted).encode().split(b"\n")
    reader = CsvRows(PURCHASE, b"buyer,channel")
    found = [parse_object(reader.line(each)) for each in join_records(lines, limit=10_000)]
    wanted = [
        {name: cell for name, cell in zip(("buyer", "channel"), row, strict=True) if cell} for row in rows
    ]
    assert found == wanted


def test_a_quote_that_stays_open_ends_the_reading() -> None:
    """At the end or over the limit nobody knows where records begin."""
    assert list(join_records([b"a", b'"b', b'c"'], limit=10)) == [b"a", b'"b\nc"']
    for lines in ([b'"a', b"b"], [b'"', *[b"x" * 10] * 5, b'"']):
        with pytest.raises(MalformedError):
            list(join_records(lines, limit=20))


@given(st.lists(CELLS, min_size=2, max_size=5))
def test_no_cell_that_goes_out_is_a_formula(cells: list[str]) -> None:
    """Each cell is read back as it was, behind an apostrophe if a spreadsheet would calculate it."""
    (found,) = csv.reader(io.StringIO(format_cells(cells).decode(), newline=""), strict=True)
    assert found == [
        f"'{each}" if each.startswith(("=", "+", "-", "@", "\t", "\r")) else each for each in cells
    ]
