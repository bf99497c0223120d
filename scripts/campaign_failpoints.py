"""Strikes every durable step with every kind of fault, on both pairs of database and chain, and writes a report.

    python -m scripts.campaign_failpoints --rounds 2 --seed 1

A round is the whole matrix: step x action x backend. In every round after the first a second fault strikes while the
service recovers from the first. A run that was stopped goes on after the cases on file. Exit code 1: broken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_service.storage.failpoints import ACTIONS
from scripts.campaign_report import Report, write_report
from tests.support.anvil import Anvil
from tests.support.failpoint_case import all_cases, draw_case, names_of, run_case
from tests.support.installation import AnvilBackend, Backend, EmbeddedBackend
from tests.support.postgres import PostgresCluster
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

PAGE = Path("docs/campaigns/failpoints.md")
COUNTED = {
    "second fault in recovery": "second",
    "reached": "reached",
    "process died": "died",
    "broken": "problems",
}
KEPT = "Nothing acknowledged was lost, no index, root or anchor changed or doubled, audits were clean, all is final."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("campaign-failpoints.jsonl"))
    options = parser.parse_args(arguments)
    began = time.monotonic()
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {row["place"]: row for row in map(json.loads, lines)}
    with PostgresCluster.start() as cluster, Anvil.start() as node, options.results.open("a") as results:
        backends: tuple[Backend, ...] = (EmbeddedBackend(), AnvilBackend(cluster, node))
        for number, backend in itertools.product(range(options.rounds), backends):
            for row in _run_round(number, backend, options.seed, done):
                done[row["place"]] = row
                print(json.dumps(row), file=results, flush=True)
                print(row["place"], row["problems"] or "kept", flush=True)
    write_report(PAGE, _report(list(done.values()), options, time.monotonic() - began))
    return int(any(row["problems"] for row in done.values()))


def _run_round(number: int, backend: Backend, seed: int, done: Container[str]) -> Iterator[dict[str, Any]]:
    """The rows of one round that are not done yet."""
    for case in all_cases(seeded(seed, number, backend.name), backend=backend.name):
        place = f"{number}/{backend.name}/{case.name}/{case.action}"
        rng = seeded(seed, place)
        second = draw_case(rng, rng.choice(names_of(backend.name)), rng.choice(ACTIONS)) if number else None
        if place not in done:
            outcome = run_case(case, backend, rng, second=second)
            words = {"case": outcome.case.text, "second": second.text if second else ""}
            yield {"place": place, **asdict(outcome), **words}


def _report(rows: list[dict[str, Any]], options: argparse.Namespace, took_s: float) -> Report:
    recovery = sorted(row["recovery_s"] for row in rows)
    broken = [f"`{row['place']}`: {row['problems']}" for row in rows if row["problems"]]
    table: list[tuple[str, ...]] = [("step", *ACTIONS)]
    for name in sorted({row["case"].partition("=")[0] for row in rows}):
        places = [row["place"] for row in rows if row["case"].startswith(f"{name}=")]
        table.append(
            (name, *(str(sum(each.endswith(f"/{action}") for each in places)) for action in ACTIONS))
        )
    return Report(
        title="Faults at every durable step",
        command=f"python -m scripts.campaign_failpoints --rounds {options.rounds} --seed {options.seed}",
        took_s=took_s,
        figures={
            "cases": len(rows),
            **{name: sum(map(bool, (row[key] for row in rows))) for name, key in COUNTED.items()},
            "records acknowledged before the restart": sum(row["acknowledged"] for row in rows),
            "seconds until all is answered again": f"{recovery[len(recovery) // 2]:.1f}, worst {recovery[-1]:.1f}",
        },
        table=table,
        notes=broken or [KEPT],
    )


if __name__ == "__main__":
    sys.exit(main())
