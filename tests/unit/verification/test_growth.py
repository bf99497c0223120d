"""How a log grew, and how many of its records stand where: on both engines, from what was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.verification import growth
from ledger_service.verification.growth import newest_anchors, read_backlog, read_growth, sample_anchors
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


def accept(ledger: SmallLedger, *numbers: int) -> None:
    """Accept purchases, a second after what was before."""
    assert isinstance(ledger.clock, SetClock)
    ledger.clock.move(1)
    ledger.intake.accept([ledger.submission(order_number=f"g-{number}") for number in numbers])


def test_growth_has_its_ends_and_no_more_points_than_a_chart(
    ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each point is a checkpoint; the first and the last are always there; nothing anchored means no anchor."""
    monkeypatch.setattr(growth, "MOST_POINTS", 4)
    with ledger.database.read() as conn:
        assert read_growth(conn, ledger.log.id) == ()
    for step in range(9):
        accept(ledger, *range(step * 2, step * 2 + 2))
        ledger.sequencer.sequence(ledger.log.id)
    with ledger.database.read() as conn:
        points = read_growth(conn, ledger.log.id)
        assert sample_anchors(conn, ledger.log.id) == newest_anchors(conn, ledger.log.id, most=5) == ()
    assert 2 <= len(points) <= 4
    with ledger.reader.view_number(ledger.log.id) as view:
        assert points[-1].size == view.size
        assert points[0].size == view.first_checkpoint_covering(0).size
        assert all(view.checkpoint_at(point.size).timestamp == point.time for point in points)
    assert [point.size for point in points] == sorted({point.size for point in points})


def test_the_backlog_counts_every_record_once(ledger: SmallLedger) -> None:
    """What was accepted waits, then it is published, and since when is the time of the first checkpoint over it."""
    accept(ledger, 1, 2, 3)
    with ledger.database.read() as conn:
        waiting = read_backlog(conn, ledger.log.id)
    # The log's opening waits as well.
    assert (waiting.accepted, waiting.size, waiting.published_since) == (4, 0, None)
    ledger.sequencer.sequence(ledger.log.id)
    accept(ledger, 4)
    with ledger.database.read() as conn:
        later = read_backlog(conn, ledger.log.id)
    with ledger.reader.view_number(ledger.log.id) as view:
        since = view.first_checkpoint_covering(0).timestamp
    assert (later.accepted, later.sequenced, later.published, later.anchored, later.final) == (1, 0, 4, 0, 0)
    assert later.published_since == since
