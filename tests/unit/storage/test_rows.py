"""Many rows go in and out at once, on both engines alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, DateTime, MetaData, Table, select
from sqlalchemy.exc import IntegrityError

from ledger_service.errors import StorageError
from ledger_service.storage.metadata import integer
from ledger_service.storage.rows import insert_rows, select_matching
from tests.unit.storage.notes import notes

if TYPE_CHECKING:
    from tests.unit.storage.conftest import NotesDatabase


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_rows_come_back_as_they_went_in(store: NotesDatabase, count: int) -> None:
    """Text, bytes and missing values of any number of rows are stored as they are, in order."""
    rows = [(f"word {n} ä雪", None if n % 3 else bytes([n % 256]) * 5) for n in range(count)]
    with store.db.write("records.accept") as conn:
        insert_rows(conn, notes, ("word", "body"), rows)
    with store.db.read() as conn:
        found = conn.execute(select(notes.c.word, notes.c.body).order_by(notes.c.id)).all()
    assert [(word, body and bytes(body)) for word, body in found] == rows


def test_taken_key_is_an_error_unless_told_otherwise(store: NotesDatabase) -> None:
    """A taken unique key refuses all rows; with `ignore_conflicts` only the row that met it is left out."""
    store.add("taken")
    with pytest.raises(IntegrityError), store.db.write("records.accept") as conn:
        insert_rows(conn, notes, ("word",), [("new",), ("taken",)])
    assert store.words() == ["taken"]
    with store.db.write("records.accept") as conn:
        insert_rows(conn, notes, ("word",), [("new",), ("taken",), ("newer",)], ignore_conflicts=True)
    assert store.words() == ["taken", "new", "newer"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 500])
def test_matching_rows_are_found(store: NotesDatabase, count: int) -> None:
    """For any number of values, exactly the rows with one of them and the fixed value are returned."""
    with store.db.write("records.accept") as conn:
        insert_rows(
            conn, notes, ("word", "body"), [(str(n), b"even" if n % 2 == 0 else b"odd") for n in range(600)]
        )
    with store.db.read() as conn:
        found = select_matching(
            conn, notes, ("word",), equal={"body": b"even"}, among=("word", [str(n) for n in range(count)])
        )
    assert sorted(int(word) for (word,) in found) == [n for n in range(count) if n % 2 == 0]


def test_other_types_are_refused(store: NotesDatabase) -> None:
    """A column whose values need conversion is refused on the engine that must name its type."""
    table = Table("moments", MetaData(), integer("id"), Column("at", DateTime()))
    if store.db.dialect == "sqlite":
        assert store.count() == 0
        return
    with pytest.raises(StorageError, match=r"moments\.at"), store.db.write("records.accept") as conn:
        insert_rows(conn, table, ("id", "at"), [(1, 2)])
