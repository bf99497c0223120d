"""Connections are kept, bounded, and never handed out broken twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from ledger_service.errors import StorageBusyError
from ledger_service.storage.pool import ConnectionPool

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


class Opened:
    """Opens connections to a file and remembers them."""

    def __init__(self, path: Path) -> None:
        """Open none yet."""
        self._engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        self.connections: list[Connection] = []

    def connect(self) -> Connection:
        """Open one more."""
        self.connections.append(self._engine.connect())
        return self.connections[-1]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Counts what the pool opens."""
    return Opened(tmp_path / "pool.db")


def test_connection_is_used_again(opened: Opened) -> None:
    """A connection that was given back is the next one taken."""
    pool = ConnectionPool(opened.connect, size=2, wait_s=1)
    first = pool.take()
    pool.give(first)
    assert pool.take() is first
    pool.drop(first)


def test_dropped_connection_is_closed_with_the_idle_ones(opened: Opened) -> None:
    """After a broken connection, the idle ones go as well and a new one is opened."""
    pool = ConnectionPool(opened.connect, size=3, wait_s=1)
    broken, idle = pool.take(), pool.take()
    pool.give(idle)
    pool.drop(broken)
    assert broken.closed
    assert idle.closed
    fresh = pool.take()
    assert fresh.execute(text("SELECT 1")).scalar_one() == 1
    pool.drop(fresh)


def test_no_more_than_allowed(opened: Opened) -> None:
    """One more than the size is refused after the wait, and a place that was given back counts again."""
    pool = ConnectionPool(opened.connect, size=2, wait_s=0.01)
    taken = [pool.take(), pool.take()]
    with pytest.raises(StorageBusyError):
        pool.take()
    pool.drop(taken[0])
    pool.drop(pool.take())
    pool.drop(taken[1])
    assert len(opened.connections) == 3


def test_failed_opening_gives_its_place_back() -> None:
    """An opening that fails does not use up a place."""

    def fail() -> Connection:
        raise ConnectionError("not there")

    pool = ConnectionPool(fail, size=1, wait_s=0.01)
    with pytest.raises(ConnectionError):
        pool.take()
    with pytest.raises(ConnectionError):
        pool.take()
