"""Run random chain schedules (tests/support/chain_schedules.py) on Anvil and write down what came of them.

    python -m scripts.campaign_chain_schedules --runs 500 --seed 1

Every run has a seed of its own, counted up from the first, and is repeated by `--runs 1 --seed SEED`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.anvil import Anvil
from tests.support.chain_schedules import CONFIRMATIONS, QUIET_BLOCKS, Schedule
from tests.support.fault_proxy import FaultProxy

RESULTS = Path(__file__).parents[1] / "docs/campaigns/chain-schedules.md"
EVENTS = 60
PAGE = """# Anchoring: random schedules

`python -m scripts.campaign_chain_schedules --runs {runs} --seed {seed}` on {date}, {minutes:.0f} minutes.

Each run lets {events} things happen to an anchorer on Anvil in random order. Final means {confirmations} confirmations;
every second run reorganizes deeper than that, down to the contract's own block. After each step every anchor that
stands must be in the chain. At the end, within {quiet} quiet blocks, the newest checkpoint must be final, and the chain
must hold one growing history that is ours, each head once.

| what happened | times |
|---|---|
{rows}
| **runs that broke a promise** | **{failed}** |
"""


def main() -> None:
    """Run, print each failure at once, and store the sum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    began = time.monotonic()
    failed: list[str] = []
    happened: dict[str, int] = {}
    for seed in range(asked.seed, asked.seed + asked.runs):
        words = run_one(seed, happened)
        if words is not None:
            failed.append(words)
            print(words, flush=True)
    page = PAGE.format(
        runs=asked.runs,
        seed=asked.seed,
        date=datetime.now(UTC).date(),
        minutes=(time.monotonic() - began) / 60,
        events=EVENTS,
        confirmations=CONFIRMATIONS,
        quiet=QUIET_BLOCKS,
        rows="\n".join(f"| {name} | {count} |" for name, count in sorted(happened.items())),
        failed=len(failed),
    )
    asked.results.write_text(page, encoding="utf-8")
    print(page)
    raise SystemExit(1 if failed else 0)


def run_one(seed: int, happened: dict[str, int]) -> str | None:
    """Run one schedule; return what went wrong, or None."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Anvil.start() as anvil,
        FaultProxy(anvil.url) as proxy,
    ):
        schedule = Schedule(seed, anvil, proxy, Path(folder), deep=bool(seed % 2))
        try:
            schedule.run(EVENTS)
        except AssertionError as error:
            return f"seed {seed}: {error}"
        finally:
            for event in schedule.told:
                name = event.split()[0]
                happened[name] = happened.get(name, 0) + 1
    return None


if __name__ == "__main__":
    main()
