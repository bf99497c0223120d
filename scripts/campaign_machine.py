"""Lets a state machine do what callers and operators do, beside a plain model, and writes a report.

    python -m scripts.campaign_machine --steps 50000 --seed 1

Half on SQLite and half on PostgreSQL, at the same time, in rounds of 1,000 with a seed each. A run that was stopped
goes on after the rounds on file. Exit code 1: an answer was not the model's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from scripts.campaign_report import Report, write_report
from tests.support.ledger_machine import STEPS_OF_ONE_LEDGER, run_machine
from tests.support.machine_host import Template
from tests.support.postgres import PostgresCluster

PAGE = Path("docs/campaigns/state-machine.md")
DATABASES = ("SQLite", "PostgreSQL")
ROUND = 1_000
NOTES = (
    "A crash is a fault at a durable step, done or not; a kill is SIGKILL to a process that has come to it. After each",
    "start all records are listed and found by number, roots and sizes compared, everything audited, payloads opened;",
    f"at the end of a ledger, after {STEPS_OF_ONE_LEDGER} steps, every receipt must be the same, byte for byte.",
)


def main() -> int:
    """Run what is missing on both databases and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("campaign-machine.jsonl"))
    asked = parser.parse_args()
    rounds = range(-(-asked.steps // (ROUND * len(DATABASES))))
    lines = asked.results.read_text().splitlines() if asked.results.exists() else []
    done = [row for row in map(json.loads, lines) if row["seed"] == asked.seed]
    known = {(row["database"], row["round"]) for row in done}
    with ProcessPoolExecutor(len(DATABASES), mp_context=multiprocessing.get_context("spawn")) as pool:
        left = [[each for each in rounds if (name, each) not in known] for name in DATABASES]
        for rows in pool.map(_run, DATABASES, left, [asked.seed] * 2, [asked.results] * 2):
            done += rows
    write_report(PAGE, _report(done, asked))
    return int(any(row["broken"] for row in done))


def _run(database: str, rounds: list[int], seed: int, results: Path) -> list[dict[str, Any]]:
    """Run these rounds on one database; a row for each, with what was done and how it broke a promise."""
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(PostgresCluster.start()) if database == "PostgreSQL" else None
        template, file = Template(folder, cluster), stack.enter_context(results.open("a"))
        for number in rounds:
            began, tally, broken = time.monotonic(), Counter[str](), ""
            drawn = 1_000_000 * DATABASES.index(database) + 1_000 * seed + number
            try:
                run_machine(template, steps=ROUND, seed_number=drawn, tally=tally)
            except Exception as error:  # noqa: BLE001  whatever it is, the other rounds go on
                broken = "".join(traceback.format_exception(error))
            row = {"database": database, "seed": seed, "round": number, "tally": tally, "broken": broken}
            rows.append(row | {"took_s": time.monotonic() - began})
            print(json.dumps(rows[-1]), file=file, flush=True)
            print(database, f"round {number}, {tally.total():,} steps,", broken or "kept", flush=True)
    return rows


def _report(done: list[dict[str, Any]], asked: argparse.Namespace) -> Report:
    first, second = sums = (Counter[str](), Counter[str]())
    for row in done:
        sums[DATABASES.index(row["database"])].update(row["tally"])
    return Report(
        title="State machine against a plain model",
        command=f"python -m scripts.campaign_machine --steps {asked.steps} --seed {asked.seed}",
        took_s=max(sum(row["took_s"] for row in done if row["database"] == name) for name in DATABASES),
        figures={
            "steps": f"{first.total():,} on SQLite, {second.total():,} on PostgreSQL, both at the same time",
            "rounds in which an answer was not the model's": sum(bool(row["broken"]) for row in done),
        },
        table=[
            ("step", *DATABASES),
            *((step, f"{first[step]:,}", f"{second[step]:,}") for step in sorted(first | second)),
        ],
        notes=NOTES,
    )


if __name__ == "__main__":
    sys.exit(main())
