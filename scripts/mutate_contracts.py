"""Put every small fault into the contracts, one at a time, and see that the contract tests notice each.

Mutants that no test can notice stand with reasons in contracts/equivalent-mutants.toml; any other survivor
fails the command.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.compile_contracts import DEPLOYED, ROOT, SOLC_VERSION
from scripts.contract_mutants import Mutant, find_mutants
from scripts.mutant_outcome import ORIGINAL, compile_mutants, judge

SOURCES = [f"contracts/src/{n}.sol" for n in ("Rfc9162", "CheckpointLog", "RecordStatus", *DEPLOYED)]
OUTCOMES = ("killed", "equivalent", "survived", "same code", "not compiled")
REPORT = ROOT / "docs" / "campaigns" / "contract-mutants.md"
EQUIVALENT = tomllib.loads((ROOT / "contracts" / "equivalent-mutants.toml").read_text("utf-8"))["mutant"]


def format_report(counts: dict[str, Counter[str]], seed: int) -> str:
    """The campaign as it is committed."""
    lines = [
        "# Mutants of the contracts\n",
        f"`python -m scripts.mutate_contracts --seed {seed}`, {datetime.now(UTC):%Y-%m-%d}, solc {SOLC_VERSION}.",
        "Each mutant ran the contract tests, except gas and freshness; the sweep went up to 9 entries.\n",
        f"| source | {' | '.join(OUTCOMES)} |\n|---|{'---:|' * len(OUTCOMES)}",
    ]
    for path, count in counts.items():
        lines.append(f"| {Path(path).name} | {' | '.join(str(count[outcome]) for outcome in OUTCOMES)} |")
    lines.append("\nEquivalent, with reasons:\n")
    lines += [f"- `{fault['line']}`: {fault['why']}" for fault in EQUIVALENT]
    return "\n".join(lines) + "\n"


def is_within(mutant: Mutant, name: str) -> bool:
    """Whether a fault stands in a function of this name, or anywhere when there is none."""
    above = ORIGINAL[mutant.path][: mutant.start]
    return not name or re.findall(r"\bfunction (\w+)", above)[-1:] == [name]


def main() -> None:
    """Judge all mutants and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=9162, help="seed of everything random in the tests")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only faults in lines that contain this; no report")
    parser.add_argument("--within", default="", help="only faults in functions of this name; no report")
    options = parser.parse_args()
    some = options.only or options.within
    mutants = [
        mutant
        for path in SOURCES
        for mutant in find_mutants(path, ORIGINAL[path])
        if options.only in mutant.describe(ORIGINAL[path]) and is_within(mutant, options.within)
    ]
    with TemporaryDirectory() as folder:
        outcomes = list(compile_mutants(mutants, Path(folder)))
        open_cases = [number for number, outcome in enumerate(outcomes) if not outcome]
        task = partial(judge, seed=options.seed)
        with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
            answers = pool.imap(task, [(mutants[n], Path(folder, str(n))) for n in open_cases])
            for number, answer in zip(open_cases, answers, strict=True):
                line = mutants[number].describe(ORIGINAL[mutants[number].path])
                known = answer == "survived" and any(fault["line"] == line for fault in EQUIVALENT)
                outcomes[number] = "equivalent" if known else answer
                if some or outcomes[number] == "survived":
                    print(f"{outcomes[number]}: {mutants[number].path}: {line}", flush=True)
    counts = {path: Counter[str]() for path in SOURCES}
    for mutant, outcome in zip(mutants, outcomes, strict=True):
        counts[mutant.path][outcome] += 1
    if not some:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(format_report(counts, options.seed), "utf-8")
    sys.exit("survived" in outcomes)


if __name__ == "__main__":
    main()
