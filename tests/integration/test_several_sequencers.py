"""Several processes on one database: one sequences, none forks. `scripts.campaign_sequencers` runs the long version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.sequencer_fleet import run_fleet

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


def test_stopped_and_killed_sequencers_never_fork(tmp_path: Path, postgres_url: str, rng: Random) -> None:
    """Whoever is stopped, killed or overtaken: one root for each size, no acknowledged record lost, audit clean."""
    run = run_fleet(tmp_path, postgres_url, rng, batches=30)
    assert run.broken == []
    assert run.leaders > 1
    assert run.acknowledged > 0
