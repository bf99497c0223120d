"""Asks a real browser's kernel and Python's for the verdict on random good and bad evidence, and writes a report.

    python -m scripts.campaign_browser --evidences 10000 --seed 1

Exit code 1: the two differed.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.browser import launch_browser
from tests.support.browser_agreement import compare_kernels, describe_difference
from tests.support.browser_kernel import open_kernel

PAGE = Path("docs/campaigns/browser.md")


def main() -> int:
    """Compare and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evidences", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    began = time.monotonic()
    with launch_browser() as browser, open_kernel(browser) as kernel:
        version = browser.version
        found = compare_kernels(kernel, random.Random(options.seed), options.evidences)  # noqa: S311  the seed makes it repeatable
    results = sorted({result for _, result in found.answers})
    made = sorted({how for how, _ in found.answers})
    table = [("evidence", *results)]
    table += [(how, *(str(found.answers[how, result]) for result in results)) for how in made]
    report = Report(
        title="Verdicts of the browser and of Python",
        command=f"python -m scripts.campaign_browser --evidences {options.evidences} --seed {options.seed}",
        took_s=time.monotonic() - began,
        figures={
            "browser": f"Chromium {version}",
            "evidences": found.answers.total(),
            "verdicts that are not the same, byte for byte": len(found.differences),
            **{f"failed at step {name}": number for name, number in sorted(found.failed_steps.items())},
        },
        table=table,
        notes=[describe_difference(difference) for difference in found.differences[:5]]
        or [
            "Rows are how the evidence was made (`tests/support/evidence_mutants.py`), columns what both answered. The",
            "questions differ as well: other policies, trust files, dates and files. A verdict is compared whole, with",
            "every step's words and all that is not proven.",
        ],
    )
    write_report(PAGE, report)
    return int(bool(found.differences))


if __name__ == "__main__":
    sys.exit(main())
