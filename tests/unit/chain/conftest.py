"""A database with all tables, one chain, one contract and one log in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.client import ChainIdentity
from ledger_service.chain.pins import ChainPins, PinnedChain
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TickingClock:
    """A clock that is a second later each time it is asked."""

    def __init__(self) -> None:
        """Begin at a fixed moment."""
        self.moment = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)

    def now(self) -> datetime:
        """The next second."""
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def clock() -> TickingClock:
    """A second later each time."""
    return TickingClock()


@pytest.fixture
def logs() -> PaperLogs:
    """Two logs on paper."""
    return PaperLogs(PaperLog("one.example/log").grow(5), PaperLog("two.example/log").grow(9))


@pytest.fixture
def database(tmp_path: Path, logs: PaperLogs) -> Iterator[Database]:
    """All tables, and the rows of the logs."""
    opened = Database.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    opened.create_all(metadata)
    with opened.write("log.open") as conn:
        logs.register(conn)
    yield opened
    opened.close()


@pytest.fixture
def pins(database: Database, clock: TickingClock) -> ChainPins:
    """The pins of the database."""
    return ChainPins(database, clock=clock)


@pytest.fixture
def chain(pins: ChainPins) -> PinnedChain:
    """A chain that is pinned."""
    return pins.pin(ChainIdentity(31337, b"\x0f" * 32), self_anchored=False)
