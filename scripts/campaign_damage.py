"""Damages copies of a real ledger 1,000 times, audits each and asks it everything; writes a report.

    python -m scripts.campaign_damage --damages 1000 [--rows 600] [--jobs 2] [--seed N]

Exit code 1: something was neither found nor harmless, was served as valid, or was answered with a defect.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.damage_ledger import make_damage_ledger
from tests.support.damage_runs import FOUND, HARMLESS, MISSED, Campaign, Outcome

PAGE = Path("docs/campaigns/damage.md")
HEADING = ("damage", "times", "found", "harmless", "missed", "served as valid", "defects")
_MOST_CODES = 12


def main() -> int:
    """Make the ledger, damage copies of it, and write the page."""
    options = _options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory(dir=options.work) as work:
        ledger = make_damage_ledger(Path(home), rows=options.rows)
        shares = [range(n, options.damages, options.jobs) for n in range(options.jobs)]
        campaign = Campaign(ledger.data, ledger.environment, ledger.key, Path(work), options.seed)
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            parts = [pool.submit(campaign.run, share) for share in shares]
            results = [part.result() for part in parts]
    outcomes = [outcome for _, found in results for outcome in found]
    kinds = sorted({each.kind for each in outcomes})
    table = [HEADING, *(_row(kind, [each for each in outcomes if each.kind == kind]) for kind in kinds)]
    codes = Counter(each.code for each in outcomes if each.result == FOUND)
    broken = [each for each in outcomes if each.broken]
    report = Report(
        title="Damage",
        command="python -m scripts.campaign_damage"
        f" --damages {options.damages} --rows {options.rows} --seed {options.seed}",
        took_s=time.monotonic() - began,
        figures={
            "the ledger": f"{results[0][0]} records of every kind in three logs, anchored on the embedded chain",
            "found": sum(each.result == FOUND for each in outcomes),
            "proven harmless: every answer is the same to the byte": sum(
                each.result == HARMLESS for each in outcomes
            ),
            "neither": sum(each.result == MISSED for each in outcomes),
            "something else served as valid": sum(bool(each.wrong) for each in outcomes),
            "answers that are defects (no typed error, or 500)": sum(bool(each.faults) for each in outcomes),
            "found, and every finding says since when": sum(each.dated for each in outcomes),
            "found first by": ", ".join(f"{code} {n}" for code, n in codes.most_common(_MOST_CODES)),
        },
        table=table,
        notes=[f"- {each.kind}: {each.done}: {each.code} {each.wrong} {each.faults}" for each in broken]
        or [
            "Each damage is done to a fresh copy, which is audited with its chain; then the evidence of every record",
            "is asked for, and whatever differs is judged. What the audit did not find must answer as before:",
            "evidence, state, receipt and payload of every record, all checkpoints, tiles and entry bundles, proofs,",
            "lists, keys and trust documents.",
        ],
    )
    write_report(PAGE, report)
    return int(bool(broken))


def _row(kind: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    results = Counter(each.result for each in outcomes)
    wrong, faults = sum(bool(o.wrong) for o in outcomes), sum(bool(o.faults) for o in outcomes)
    numbers = (len(outcomes), *(results[each] for each in (FOUND, HARMLESS, MISSED)), wrong, faults)
    return (kind, *map(str, numbers))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("damages", 1_000), ("rows", 600), ("jobs", 2), ("seed", secrets.randbits(32))):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--work", help="where copies are made, for example in memory")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
