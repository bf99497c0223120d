"""A small ledger on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.small_ledger import SetClock, SmallLedger, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger with one log, nothing sequenced, and a clock that stands still."""
    url = None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with small_ledger(tmp_path, url=url, clock=SetClock()) as opened:
        yield opened


@pytest.fixture
def sqlite_ledger(tmp_path: Path) -> Iterator[SmallLedger]:
    """The same on SQLite alone, for what does not depend on the engine."""
    with small_ledger(tmp_path, clock=SetClock()) as opened:
        yield opened
