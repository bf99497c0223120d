"""Takes each authorization guard away, one at a time, runs the authorization matrix, and writes a report.

    python -m scripts.mutate_guards [--only TEXT] [--jobs N]

With --only, just the guards whose row has the text, and no report. Exit code 1: a guard was missed by no test.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.guard_mutants import GuardMutants, Judgement
from tests.support.guards import Fault, find_faults

PAGE = Path("docs/campaigns/guard-mutants.md")


def main() -> int:
    """Judge all and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only guards whose row contains this; no report")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    began = time.monotonic()
    faults = [each for each in find_faults() if options.only in " ".join(each.row)]
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(options.jobs) as pool:
        shares = [(Path(folder, str(job)), faults[job :: options.jobs]) for job in range(options.jobs)]
        judged = {fault: judgement for share in pool.imap(judge_share, shares) for fault, judgement in share}
    outcomes = Counter(each.outcome for each in judged.values())
    if not options.only:
        rows = [("file", "function", "guard", "without it", "by, or why")]
        for fault in faults:
            path, where, what = fault.row
            rows.append((path, where, f"`{what}`", judged[fault].outcome, judged[fault].by))
        write_report(
            PAGE,
            Report(
                title="The service without one of its guards",
                command="python -m scripts.mutate_guards",
                took_s=time.monotonic() - began,
                figures={
                    "faults": len(faults),
                    **{name: outcomes[name] for name in ("killed", "equivalent", "survived")},
                },
                table=rows,
                notes=[
                    "The matrix, `tests/unit/api/test_authorization.py`, ran against each and against none.",
                    "Guards of pages, sessions, figures and webhooks stand where no operation of the OpenAPI document",
                    "leads, and ran with the tests of those.",
                ],
            ),
        )
    return int(bool(outcomes["survived"]))


def judge_share(share: tuple[Path, list[Fault]]) -> list[tuple[Fault, Judgement]]:
    """Judge some faults in a folder that is made for it; says of each as it goes."""
    folder, faults = share
    judged = []
    with GuardMutants(folder) as mutants:
        if folder.name == "0":
            mutants.check_control()
        for fault in faults:
            judgement = mutants.judge(fault)
            print(f"{judgement.outcome}: {' | '.join(fault.row)}: {judgement.by}", flush=True)
            judged.append((fault, judgement))
    return judged


if __name__ == "__main__":
    sys.exit(main())
