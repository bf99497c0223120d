"""The Open University's passed course results: 8,917 completions, read from the folder beside the project.

Kuzilek, Hlosta and Zdrahal's data set (CC BY 4.0). Where the folder is absent, a sample of 200 rows serves;
scripts/data/README.md says where both come from. Students are anonymous there, and no dates of results are known.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[1]
WHOLE = _ROOT.parent / "shared/data/oulad/studentInfo.csv"
SAMPLE = _ROOT / "scripts/data/oulad-sample.csv"
ROWS = 8_917
SAMPLE_ROWS = 200
RESULTS = {"Pass": "pass", "Distinction": "distinction"}


def read_completions(path: Path | None = None) -> Iterator[dict[str, Any]]:
    """Each passed result as a `completion/v1` payload; failed ones are nothing to certify.

    Without a path it is the whole data set if that is there, else the sample.
    """
    source = path or (WHOLE if WHOLE.exists() else SAMPLE)
    with source.open(encoding="ascii", newline="") as lines:
        for row in csv.DictReader(lines):
            if (result := RESULTS.get(row["final_result"])) is None:
                continue
            course, presentation, student = row["code_module"], row["code_presentation"], row["id_student"]
            yield {
                "learner": f"ou-{student}",
                "certificate_number": f"{course}-{presentation}-{student}",
                "course": course,
                "presentation": presentation,
                "achievement_type": "course",
                "result": result,
            }
