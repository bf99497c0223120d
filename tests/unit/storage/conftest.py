"""A database of one small table, on both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from tests.unit.storage.notes import metadata, notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class NotesDatabase:
    """A database holding the table `notes`, and where it is."""

    url: str
    db: Database

    def add(self, word: str) -> None:
        """Store one note durably."""
        with self.db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": word})

    def words(self) -> list[str]:
        """Return all notes in their order, read in a snapshot of its own."""
        with self.db.read() as conn:
            return list(conn.execute(select(notes.c.word).order_by(notes.c.id)).scalars())

    def count(self) -> int:
        """Return the number of notes."""
        with self.db.read() as conn:
            return conn.execute(select(func.count()).select_from(notes)).scalar_one()


@pytest.fixture(autouse=True)
def _nothing_armed() -> Iterator[None]:
    """Failpoints armed in one test are gone in the next."""
    yield
    failpoints.disarm()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind in turn."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def store(database_url: str) -> Iterator[NotesDatabase]:
    """An open database with the table `notes`."""
    db = Database.open(database_url, wait_s=5)
    db.create_all(metadata)
    yield NotesDatabase(database_url, db)
    db.close()
