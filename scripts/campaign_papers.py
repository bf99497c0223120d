"""Papers of every kind in both languages, judged by veraPDF, and their evidence taken out and verified offline.

    python -m scripts.campaign_papers

Needs Java, Maven and poppler-utils. Writes docs/campaigns/papers.md and ends with 1 if a paper fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger_service.proofs.verify import verify
from scripts.campaign_report import Report, write_report
from tests.support.sample_papers import draw_samples

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/campaigns/papers.md"
CHECKER = ROOT / "tests/support/verapdf"
NOTES = (
    "veraPDF is the validator of the veraPDF consortium, taken from Maven Central. `pdfdetach` of poppler takes the",
    "evidence out; `ledger_service.proofs` verifies it with the policy and the trust file of its log.",
)


def judge(folder: Path, papers: list[Path]) -> dict[str, tuple[str, str]]:
    """What veraPDF says of each paper, by name: its verdict, and how many checks it made."""
    fetch = ["mvn", "-q", "-B", "-f", str(CHECKER / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*fetch, f"-DoutputDirectory={folder / 'jars'}"], check=True)
    run = subprocess.run(
        ["java", "-cp", f"{folder}/jars/*", CHECKER / "CheckPapers.java", *papers],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    return {Path(name).name: (f"{verdict}{faults}", checks) for name, verdict, checks, faults in rows}


def main() -> int:
    """Draw, judge, take out, verify."""
    began = time.monotonic()
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        samples = {f"{each.word}-{each.language}.pdf": each for each in draw_samples(folder / "ledger")}
        for name, sample in samples.items():
            (folder / name).write_bytes(sample.pdf)
        verdicts = judge(folder, [folder / name for name in samples])
        for name, sample in samples.items():
            inside = folder / "evidence.json"
            subprocess.run(
                ["pdfdetach", "-savefile", "evidence.json", "-o", inside, folder / name], check=True
            )
            result = verify(
                inside.read_bytes(), policy=sample.policy, trust=sample.trust, now=sample.now
            ).result
            verdict, checks = verdicts[name]
            failed += verdict != "conforms" or result != "valid"
            rows.append((name, f"{len(sample.pdf) / 1000:.0f} kB", verdict, f"{int(checks):,}", result))
    figures = {"papers": len(rows), "failed": failed}
    columns = ("paper", "size", "PDF/A-3a, veraPDF 1.28.1", "checks", "evidence inside, offline")
    report = Report(
        "Papers",
        "python -m scripts.campaign_papers",
        time.monotonic() - began,
        figures,
        (columns, *rows),
        NOTES,
    )
    write_report(PAGE, report)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
