"""Asks a running service from its own OpenAPI document, holds every answer to it, and writes a report.

    python -m scripts.campaign_schemathesis --requests 20000 --seed N

Exit code 1: an answer was not declared, broke its schema, took a wrong request for right, or took over 2 s.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.fuzzed_service import fuzz_service

PAGE = Path("docs/campaigns/schemathesis.md")


def main() -> int:
    """Ask, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz_service(Path(folder), requests=options.requests, seed=options.seed)
    statuses = sorted({status for each in tally.statuses.values() for status in each})
    table = [("operation", "requests", *map(str, statuses))]
    for label, counts in tally.statuses.items():
        table.append((label, str(counts.total()), *(str(counts[status] or "") for status in statuses)))
    everywhere = [sum(each[status] for each in tally.statuses.values()) for status in statuses]
    table.append(("together", str(tally.requests), *map(str, everywhere)))
    write_report(
        PAGE,
        Report(
            title="Requests made from the OpenAPI document",
            command=f"python -m scripts.campaign_schemathesis --requests {options.requests} --seed {options.seed}",
            took_s=time.monotonic() - began,
            figures={
                "schemathesis": version("schemathesis"),
                "requests": tally.requests,
                "undeclared answers of 5xx": tally.undeclared.total(),
                "answers that break the document": tally.findings.total(),
                "slower than 2 s": tally.slow,
                "slowest": f"{tally.slowest_s:.2f} s",
            },
            table=table,
            notes=[f"- {count} of: {words}" for words, count in tally.findings.most_common()]
            or [
                "Checked of each answer: status, media type, headers and schema; of each wrong request: its refusal.",
                "One paper was drawn before, since the first of a process loads what draws it. A read that took",
                "over 2 s was asked again, in case the machine had been busy elsewhere.",
            ],
        ),
    )
    return int(bool(tally.undeclared or tally.findings or tally.slow))


if __name__ == "__main__":
    sys.exit(main())
