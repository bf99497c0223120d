"""Random histories of status changes against a plain model, and forged statements; writes a report.

    python -m scripts.campaign_status [--histories 1000] [--seed 1]

Everything is real but the clock: intake, sequencer, archive, status key, and the verifier's verdicts. Exit code 1: an
answer was wrong, or a forged statement gave anything but `unknown` or `invalid`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.small_ledger import SetClock, small_ledger
from tests.support.status_histories import Histories

PAGE = Path("docs/campaigns/status-histories.md")
_QUESTIONS = 8
_ROUNDS = 20
_IN_ONE_LOG = 100
_NOTES = (
    "Purchases, completions and data sets are refunded, corrected, suspended, reinstated, revoked, withdrawn and",
    f"superseded at random, {_IN_ONE_LOG} in a log, half of the status changes in force since earlier; what a kind",
    "does not allow is tried as well and must be refused. Each record's evidence is then asked with random `at` and",
    "`known_at`, and its statement deleted, cut, backdated, exchanged, signed by another, or shown a second too late.",
    "The model is a list of (state, since, known) for each record.",
)


def main() -> int:
    """Run the campaign; returns 1 if an answer was wrong or a forgery passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, began = random.Random(asked.seed), time.monotonic()  # noqa: S311  seeded on purpose
    changes, questions, wrong, forged = 0, 0, [], Counter[tuple[str, str]]()
    for _ in range(0, asked.histories, _IN_ONE_LOG):
        with tempfile.TemporaryDirectory() as folder, small_ledger(Path(folder), clock=SetClock()) as ledger:
            histories = Histories(ledger, rng)
            for _ in range(4):
                histories.begin(_IN_ONE_LOG // 4)
                for _ in range(_ROUNDS // 4):
                    histories.happen(0.6)
            for position, each in enumerate(histories.all):
                changes += len(each.steps) - 1
                questions += _QUESTIONS
                wrong += histories.wrong_answers(each, questions=_QUESTIONS)
                forged.update(histories.forgeries(each, histories.all[position - 1]).items())
    passed = sum(count for (_, result), count in forged.items() if result not in {"unknown", "invalid"})
    report = Report(
        title="Status histories",
        command=f"python -m scripts.campaign_status --histories {asked.histories} --seed {asked.seed}",
        took_s=time.monotonic() - began,
        figures={
            "histories": f"{asked.histories:,}, with {changes:,} changes of status",
            "questions": f"{questions:,}, answered wrongly {len(wrong)}",
            "forged, deleted or stale statements": f"{forged.total():,}, neither unknown nor invalid {passed}",
        },
        table=[
            ("statement", "verdict", "times"),
            *((name, result, f"{count:,}") for (name, result), count in sorted(forged.items())),
        ],
        notes=_NOTES,
    )
    write_report(PAGE, report)
    print("\n".join(wrong[:20]), file=sys.stderr)
    return int(bool(wrong or passed))


if __name__ == "__main__":
    sys.exit(main())
