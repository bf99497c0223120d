"""A file of rows arrives whole, whatever happens to the connection and the service on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.bulk_run import run_bulk

if TYPE_CHECKING:
    import random
    from pathlib import Path


def test_a_file_survives_cuts_and_a_kill(tmp_path: Path, rng: random.Random) -> None:
    """Connection cut twice, service killed once: exactly the good rows exist once, and each bad one is named."""
    run = run_bulk(tmp_path, rows=30_000, seed=rng.randrange(2**32), cuts=[300_000, 3_000_000])
    assert (run.cuts, run.kills) == (2, 1)
    run.check()
