"""Sends a file of rows while its connection is cut twice and the service is killed, and writes a report.

    python -m scripts.campaign_bulk --rows 100000 --seed 1

Exit code 1: a good row is missing or doubled, a bad one is not named, or a process took more than 300 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.bulk_run import BulkRun, run_bulk

PAGE = Path("docs/campaigns/bulk.md")
MOST_MB = 300


def main() -> int:
    """Run it once and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = run_bulk(Path(folder), rows=chosen.rows, seed=chosen.seed, cuts=[1_000_000, 4_000_000])
    broken = _judge(run)
    report = Report(
        title="A file of rows through cuts and a kill",
        command=f"python -m scripts.campaign_bulk --rows {chosen.rows} --seed {chosen.seed}",
        took_s=time.monotonic() - began,
        figures={
            "rows": f"{run.rows:,}, of them bad {len(run.bad):,}",
            "connection cut": f"{run.cuts} times; service killed with SIGKILL: {run.kills} time",
            "recorded": f"{run.size - 1:,} entries beside the log's opening",
            "rate": f"{run.rows / run.took_s:,.0f} rows/s, cuts, kill and restart included",
            "largest server process (VmHWM)": f"{max(run.peaks_mb.values()):.0f} MB",
            "all server processes, sum of VmHWM": f"{sum(run.peaks_mb.values()):.0f} MB, shared pages each time",
        },
        table=[
            ("promise", "held"),
            ("exactly the good rows exist, each once; each bad row is named", str(not broken)),
        ],
        notes=broken or ["The command and the service shared the machine's cores."],
    )
    write_report(PAGE, report)
    return int(bool(broken))


def _judge(run: BulkRun) -> list[str]:
    broken = []
    try:
        run.check()
    except AssertionError as error:
        broken.append(f"The rows are not what they must be: {error}")
    if max(run.peaks_mb.values()) > MOST_MB:
        broken.append(f"A process took more than {MOST_MB} MB.")
    return broken


if __name__ == "__main__":
    sys.exit(main())
