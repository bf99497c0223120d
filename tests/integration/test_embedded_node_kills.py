"""kill -9 at random moments: the gate's sample of `scripts/campaign_chain_kills.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.chain_kills import run_kills

if TYPE_CHECKING:
    import random
    from pathlib import Path

ROUNDS = 25


def test_nothing_that_was_visible_is_lost(tmp_path: Path, rng: random.Random) -> None:
    """After each kill the chain opens on a whole block, checks from end to end, and has every receipt it showed."""
    report = run_kills(tmp_path, rounds=ROUNDS, rng=rng)
    assert report.lost == []
    assert report.rounds == ROUNDS
    assert report.receipts_seen > ROUNDS
