"""Random histories of status changes against a plain model; the result goes to docs/campaigns.

    python -m scripts.campaign_status [--histories 1000] [--seed 1] > docs/campaigns/status-histories.md

Everything is real but the clock: intake, sequencer, archive, status key, and the verifier's verdicts.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.small_ledger import SetClock, small_ledger
from tests.support.status_histories import Histories

_QUESTIONS = 8
_ROUNDS = 20
_IN_ONE_LOG = 100
_TEXT = """\
# Status histories

`python -m scripts.campaign_status --histories {histories} --seed {seed}`, {took_s:.0f} s, {date}.

Purchases, completions and data sets in logs of {in_one_log} each are refunded, corrected, suspended, reinstated,
revoked, withdrawn and superseded at random, half of the status changes in force since earlier; what a kind does not
allow is tried as well and must be refused. Each record's evidence is then asked {questions} times with random `at` and
`known_at`, and forged in up to six ways. The model is a list of (state, since, known) for each record.

| | |
|---|---:|
| histories | {histories:,} |
| status changes | {changes:,} |
| questions | {asked:,} |
| wrong answers | {wrong} |
| forged or stale statements | {forged:,} |
| of them called valid | {valid} |

| forgery | verdicts |
|---|---|
{forgeries}
"""


def main() -> int:
    """Run the campaign; returns 1 if an answer was wrong or a forgery passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, began = random.Random(options.seed), time.monotonic()  # noqa: S311  seeded on purpose
    changes, wrong, forged = 0, [], Counter[tuple[str, str]]()
    for _ in range(0, options.histories, _IN_ONE_LOG):
        with tempfile.TemporaryDirectory() as folder, small_ledger(Path(folder), clock=SetClock()) as ledger:
            histories = Histories(ledger, rng)
            for _ in range(4):
                histories.begin(_IN_ONE_LOG // 4)
                for _ in range(_ROUNDS // 4):
                    histories.happen(0.6)
            for position, each in enumerate(histories.all):
                changes += len(each.steps) - 1
                wrong += histories.wrong_answers(each, questions=_QUESTIONS)
                forged.update(histories.forgeries(each, histories.all[position - 1]).items())
    valid = sum(count for (_, result), count in forged.items() if result == "valid")
    lines = [f"| {name} | {result}: {count:,} |" for (name, result), count in sorted(forged.items())]
    print(
        _TEXT.format(
            histories=options.histories, seed=options.seed, took_s=time.monotonic() - began,
            date=time.strftime("%Y-%m-%d"), in_one_log=_IN_ONE_LOG, questions=_QUESTIONS, changes=changes,
            asked=options.histories * _QUESTIONS, wrong=len(wrong), forged=sum(forged.values()), valid=valid,
            forgeries="\n".join(lines),
        ),
        end="",
    )  # fmt: skip
    print("\n".join(wrong[:20]), file=sys.stderr)
    return 1 if wrong or valid else 0


if __name__ == "__main__":
    sys.exit(main())
