"""Cuts the power under the service, the storage engine and the embedded chain, and writes a report.

    python -m scripts.campaign_power_loss --runs 100 --seed 1

The disk drops what was not synced, or tears it sector by sector. Each suffers five cuts in a row, so that recovery is
cut short too. The control has synchronous=NORMAL and must lose. Exit code 1: loss, or a control without.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.campaign_report import Report, write_report
from tests.support.power_loss import Aftermath, ChainWorkload, Disk, StorageWorkload
from tests.support.power_loss_service import LedgerDisk
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

PAGE = Path("docs/campaigns/power-loss.md")
CUTS = 5
KEPT = """After every cut the database and the chain opened, the audit was clean, every record kept its index, no head
was anchored twice, and everything became final."""
# What is written, how many of a hundred runs it gets, and the most acknowledgments before a cut.
SUBJECTS = {"service": (100, 60), "storage engine": (100, 400), "embedded chain": (20, 60)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=100, help="cuts under the whole service; the others in proportion"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    table: list[tuple[str, ...]] = [
        ("subject", "synchronous", "cuts", "torn", "acknowledged", "lost", "findings")
    ]
    notes: list[str] = []
    failed = False
    for subject, (share, most) in SUBJECTS.items():
        runs = max(CUTS, options.runs * share // 100)
        safe = _suffer(subject, runs, most, options.seed, unsafe=None)
        control = _suffer(subject, max(CUTS, runs // 20), most, options.seed, unsafe="NORMAL")
        table += [_row(subject, "FULL", safe), _row(subject, "NORMAL (control)", control)]
        notes += [f"{subject}: {finding}" for each in safe for finding in each.findings]
        failed |= any(each.lost or each.findings for each in safe) or not any(each.lost for each in control)
    report = Report(
        title="Power loss",
        command=f"python -m scripts.campaign_power_loss --runs {options.runs} --seed {options.seed}",
        took_s=time.monotonic() - began,
        figures={"verdict": "broken" if failed else "nothing acknowledged was lost; every control lost"},
        table=table,
        notes=notes or [KEPT],
    )
    write_report(PAGE, report)
    return int(failed)


def _suffer(subject: str, runs: int, most: int, seed: int, *, unsafe: str | None) -> list[Aftermath]:
    """Cut after cut on disk after disk. A control's disk is thrown away after one: what it lost stays lost."""
    found: list[Aftermath] = []
    while len(found) < runs:
        with _disk(subject, seeded(seed, subject, unsafe, len(found)), unsafe) as disk:
            for _ in range(1 if unsafe else min(CUTS, runs - len(found))):
                found.append(disk.suffer(most_acknowledgments=most))
                print(f"{subject} {unsafe or 'FULL'} {len(found)}/{runs} {found[-1]}", flush=True)
    return found


def _disk(subject: str, rng: Random, unsafe: str | None) -> Disk | LedgerDisk:
    if subject == "service":
        return LedgerDisk(rng, unsafe)
    return Disk(StorageWorkload() if subject == "storage engine" else ChainWorkload(), rng, unsafe)


def _row(subject: str, mode: str, found: list[Aftermath]) -> tuple[str, ...]:
    torn, lost = sum(each.torn for each in found), sum(each.lost for each in found)
    # Acknowledgments of one disk add up from cut to cut: its last figure is its sum.
    sums = [each.acknowledged for each in found]
    last = [sum_ for sum_, after in zip(sums, [*sums[1:], 0], strict=True) if after < sum_ or mode != "FULL"]
    acknowledged = sum(last)
    findings = sum(len(each.findings) for each in found)
    return (subject, mode, *map(str, (len(found), torn, acknowledged, lost, findings)))


if __name__ == "__main__":
    sys.exit(main())
