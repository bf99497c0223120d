"""Columns behave alike on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, select
from sqlalchemy.exc import IntegrityError

from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import blob, from_instant, instant, integer, row_id, text, to_instant

if TYPE_CHECKING:
    from sqlalchemy import Connection

tables = MetaData()
samples = Table("samples", tables, row_id(), integer("big"), blob("body"), text("word"), instant("at"))


def add(conn: Connection, **values: object) -> int:
    """Insert one row, with a good value wherever none is given, and return its number."""
    full = {"big": 1, "body": b"", "word": "", "at": 0} | values
    return int(conn.execute(samples.insert().values(full).returning(samples.c.id)).scalar_one())


def test_rows_count_up_by_themselves(database_url: str) -> None:
    """A row id is given out by the database, and the widest integers fit."""
    db = Database.open(database_url)
    db.create_all(tables)
    with db.write("records.accept") as conn:
        numbers = [add(conn, big=2**63 - 1), add(conn, big=-(2**63))]
    with db.read() as conn:
        assert conn.execute(select(samples.c.big).order_by(samples.c.id)).scalars().all() == [
            2**63 - 1,
            -(2**63),
        ]
    assert numbers == [1, 2]
    db.close()


@pytest.mark.parametrize("name", ["big", "body", "word", "at"])
def test_nothing_is_null_unless_told(database_url: str, name: str) -> None:
    """Each kind of column refuses null by itself."""
    db = Database.open(database_url)
    db.create_all(tables)
    with pytest.raises(IntegrityError), db.write("records.accept") as conn:
        add(conn, **{name: None})
    db.close()


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_are_exact(moment: datetime) -> None:
    """Every moment of any year comes back to the microsecond, and order is kept."""
    assert from_instant(to_instant(moment)) == moment
    assert to_instant(moment) < to_instant(datetime.max.replace(tzinfo=UTC)) + 1


def test_instants_know_time_zones() -> None:
    """The same moment in another zone is the same instant."""
    moment = datetime(2026, 11, 22, 9, 2, 3, tzinfo=timezone(timedelta(hours=8)))
    assert to_instant(moment) == to_instant(datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC))
    assert to_instant(datetime(1970, 1, 1, tzinfo=UTC)) == 0
