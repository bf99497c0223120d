"""Four processes sequence one log on PostgreSQL while they are stopped and killed at random.

    python -m scripts.campaign_sequencers [--batches 1000] [--seed N]

Writes docs/campaigns/sequencers.md and ends with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.postgres import PostgresCluster
from tests.support.sequencer_fleet import LEASE_S, run_fleet

PAGE = Path(__file__).parents[1] / "docs/campaigns/sequencers.md"
NOTES = (
    "Each process accepts writes of its own and notes every root before its signature exists, so that signatures",
    "which were never published count as well. A stopped process stands still for up to three leases: the others take",
    "over, and what wakes up is stale. `fenced` counts the times a stale one was refused by the epoch of the head.",
    "Afterwards: no size with two signed roots, every acknowledged record at its index, the full audit clean.",
)


def main() -> int:
    """Run the campaign and write its page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, PostgresCluster.start() as cluster:
        run = run_fleet(
            Path(folder),
            cluster.create_database(),
            random.Random(asked.seed),  # noqa: S311  the seed makes it repeatable
            batches=asked.batches,
            processes=asked.processes,
        )
    figures = {
        "processes": asked.processes,
        "lease": f"{LEASE_S} s",
        "checkpoints": f"{run.checkpoints:,}",
        "acknowledged records": f"{run.acknowledged:,}",
        "signatures noted": f"{run.signatures:,}, by {run.leaders} processes",
        "fenced": run.fenced,
        "longest time without a new entry": f"{run.longest_stall_s:.1f} s",
        "broken promises": len(run.broken),
    } | dict(sorted(run.signals.items()))
    command = f"python -m scripts.campaign_sequencers --batches {asked.batches} --seed {asked.seed}"
    took_s = time.monotonic() - began
    write_report(PAGE, Report("Several sequencers on one log", command, took_s, figures, (), NOTES))
    print(*run.broken[:20], sep="\n")
    # A run in which nobody was ever stale shows nothing about stale ones.
    return int(bool(run.broken) or not run.fenced)


if __name__ == "__main__":
    sys.exit(main())
