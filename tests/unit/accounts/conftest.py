"""A database with the tables of accounts, and a clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ledger_service.accounts.tables import account_events, api_keys, organizations, sessions
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Begin at a fixed moment."""
        self.moment = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self.moment

    def wait(self, time: timedelta) -> None:
        """Move on by `time`."""
        self.moment += time


@pytest.fixture
def clock() -> HandClock:
    """Stands until it is moved."""
    return HandClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Holds the tables of accounts and nothing in them."""
    opened = Database.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    with opened.write("storage.migrate") as conn:
        metadata.create_all(conn, tables=[organizations, api_keys, sessions, account_events])
    yield opened
    opened.close()
