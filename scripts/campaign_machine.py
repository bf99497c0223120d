"""Lets a state machine do what callers and operators do, beside a plain model, and writes a report.

    python -m scripts.campaign_machine --steps 50000 --seed 1

Half of the steps on SQLite and half on PostgreSQL, at the same time. Rounds have seeds of their own, counted up from
the first, PostgreSQL's from 1,000 later on. Exit code 1: an answer was not the model's.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.ledger_machine import STEPS_OF_ONE_LEDGER, run_machine
from tests.support.machine_host import Template
from tests.support.postgres import PostgresCluster

PAGE = Path("docs/campaigns/state-machine.md")
DATABASES = ("SQLite", "PostgreSQL")
ROUND = 2_500
NOTES = (
    f"A ledger lives for {STEPS_OF_ONE_LEDGER} steps. A crash is a fault at a durable step, done or not, after which",
    "the service is abandoned; a kill is SIGKILL to a process that has come to the step. After every start all records",
    "are listed and found by number, roots and sizes compared, everything audited and payloads opened; at the end of a",
    "ledger every receipt is fetched again and must be the same, byte for byte.",
)


def main() -> int:
    """Run both databases and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(DATABASES), mp_context=context) as pool:
        share = asked.steps // len(DATABASES)
        runs = [pool.submit(_run, name, share, asked.seed + 1_000 * at) for at, name in enumerate(DATABASES)]
        tallies, broken = zip(*(run.result() for run in runs), strict=True)
    failures = [words for each in broken for words in each]
    report = Report(
        title="State machine against a plain model",
        command=f"python -m scripts.campaign_machine --steps {asked.steps} --seed {asked.seed}",
        took_s=time.monotonic() - began,
        figures={
            "steps": ", ".join(
                f"{tally.total():,} on {name}" for name, tally in zip(DATABASES, tallies, strict=True)
            ),
            "rounds in which an answer was not the model's": len(failures),
        },
        table=[
            ("step", *DATABASES),
            *((name, *(f"{tally[name]:,}" for tally in tallies)) for name in sorted(set().union(*tallies))),
        ],
        notes=[*NOTES, *(words.splitlines()[0] for words in failures)],
    )
    write_report(PAGE, report)
    print(*failures, sep="\n", file=sys.stderr)
    return int(bool(failures))


def _run(database: str, steps: int, first_seed: int) -> tuple[Counter[str], list[str]]:
    """Run the rounds of one database; returns what was done, and how each round ended that broke a promise."""
    tally: Counter[str] = Counter()
    broken: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(PostgresCluster.start()) if database == "PostgreSQL" else None
        template = Template(folder, cluster)
        for number, start in enumerate(range(0, steps, ROUND)):
            try:
                length = min(ROUND, steps - start)
                run_machine(template, steps=length, seed_number=first_seed + number, tally=tally)
            except Exception as error:  # noqa: BLE001  whatever it is, the other rounds go on
                words = "".join(traceback.format_exception(error))
                broken.append(f"{database}, seed {first_seed + number}: {error!r}\n{words}")
            print(f"{database}: {tally.total():,} steps, {len(broken)} broken", flush=True)
    return tally, broken


if __name__ == "__main__":
    sys.exit(main())
