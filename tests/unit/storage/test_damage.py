"""What altered rows make of the code that reads them: one typed error, whatever they hold."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import MetaData, Table, insert, select, text

from ledger_service.errors import DamagedDataError, MalformedError, StorageFatalError, UnknownLogError
from ledger_service.storage import metadata as columns
from ledger_service.storage.engine import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

META = MetaData()
THINGS = Table("things", META, columns.row_id(), columns.blob("content"), columns.text("words"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """One row of bytes and text."""
    opened = Database.open(f"sqlite:///{tmp_path / 'things.db'}", reserve_bytes=0)
    opened.create_all(META)
    with opened.write("storage.migrate") as conn:
        conn.execute(insert(THINGS).values(id=1, content=b"here", words="there"))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE things SET words=CAST(x'ff' AS TEXT)",
        "ALTER TABLE things RENAME COLUMN words TO wards",
    ],
)
def test_what_the_driver_refuses_is_damage(database: Database, statement: str) -> None:
    """Text that is none, a column of another name: the same error, and writing goes on."""
    with database.write("storage.migrate") as conn:
        conn.execute(text(statement))
    with pytest.raises(DamagedDataError), database.look() as conn:
        conn.execute(select(THINGS)).all()
    assert database.failure is None


@pytest.mark.parametrize("error", [KeyError(), ValueError(), TypeError(), OverflowError(), MalformedError()])
def test_what_reading_raises_is_damage(database: Database, error: Exception) -> None:
    """Whatever code makes of a row that was looked at, the caller hears of damage; `read` lets it pass."""
    with pytest.raises(DamagedDataError), database.look():
        raise error
    with pytest.raises(type(error)), database.read():
        raise error


def test_other_errors_of_ours_pass(database: Database, tmp_path: Path) -> None:
    """A typed error stays what it is, and a page that cannot be read is a failure of the storage."""
    with pytest.raises(UnknownLogError), database.look():
        raise UnknownLogError
    database.flush_journal()
    database.close()
    content = bytearray((tmp_path / "things.db").read_bytes())
    content[4096:] = bytes(255 for _ in content[4096:])
    (tmp_path / "things.db").write_bytes(content)
    with pytest.raises(StorageFatalError), database.look() as conn:
        conn.execute(select(THINGS)).all()


@pytest.mark.parametrize("size", [60, 2_000])
def test_a_file_that_is_no_database_any_more_is_not_opened(
    database: Database, tmp_path: Path, size: int
) -> None:
    """Cut off in its header or in the page behind it: a typed error says so."""
    database.flush_journal()
    database.close()
    content = (tmp_path / "things.db").read_bytes()
    (tmp_path / "cut.db").write_bytes(content[:size])
    (tmp_path / "cut.db").chmod(0o600)
    with pytest.raises(StorageFatalError):
        _read_all(f"sqlite:///{tmp_path / 'cut.db'}")


def _read_all(url: str) -> None:
    with closing(Database.open(url, reserve_bytes=0)) as database, database.look() as conn:
        conn.execute(select(THINGS)).all()
