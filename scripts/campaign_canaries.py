"""Sends 10,000 marked strings through a real service, searches for them everywhere, erases, attacks; writes a report.

    python -m scripts.campaign_canaries [--seed N]

SQLite and PostgreSQL in turn. Exit code 1: a mark was found, or something erased could be got back.
"""

from __future__ import annotations

import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.canary_runs import try_postgres, try_sqlite
from tests.support.postgres import PostgresCluster

PAGE = Path("docs/campaigns/canaries.md")
MARKS = 10_000
ERASED = 200
HEADING = (
    "database",
    "marks sent",
    "bytes searched",
    "marks found",
    "erased",
    "got back before",
    "got back after",
)


def main() -> int:
    """Run both databases and write the page."""
    seed = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else secrets.randbits(32)
    rng = random.Random(seed)  # noqa: S311  it draws marks that somebody can draw again
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, PostgresCluster.start() as cluster:
        results = {
            "SQLite": try_sqlite(Path(folder), rng, marks=MARKS, count=ERASED),
            "PostgreSQL": try_postgres(Path(folder), rng, cluster, marks=MARKS, count=ERASED),
        }
    report = Report(
        title="Marked strings",
        command=f"python -m scripts.campaign_canaries --seed {seed}",
        took_s=time.monotonic() - began,
        figures={
            "searched": "data directory, chain, guard, register, log at level debug, answers to refused rows"
        },
        table=[HEADING, *((name, *map(str, each)) for name, each in results.items())],
        notes=[
            "The attacker has all files, the key-encryption key and every name, and knows salts, sealed payloads and",
            "wrapped keys from before. SQLite: live files, then a backup from before once it serves; salts, payloads",
            "and keys are counted. PostgreSQL: only keys count, after `kek rotate` and `kek retire`: old row versions",
            "stay in its files until it uses the space.",
        ],
    )
    write_report(PAGE, report)
    return int(any(found or after or not before for _, _, found, _, before, after in results.values()))


if __name__ == "__main__":
    sys.exit(main())
