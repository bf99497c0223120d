"""What the demo records: real rows and files, each as its kind takes it."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ledger_service.credentials.completions import parse_completion
from ledger_service.government.datasets import parse_dataset
from ledger_service.proofs.canonical import encode_base64url
from scripts.agency_files import EMPLOYMENT, FILES, FOLDER, AgencyFile, revised_employment
from scripts.oulad import ROWS, SAMPLE, SAMPLE_ROWS, WHOLE, read_completions

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_every_result_of_the_sample_is_a_completion() -> None:
    """200 rows, each a pass or a distinction of a student of its own, and valid."""
    rows = list(read_completions(SAMPLE))
    assert len({row["learner"] for row in rows}) == len(rows) == SAMPLE_ROWS
    assert {row["result"] for row in rows} == {"pass", "distinction"}
    for row in rows:
        parse_completion(row, NOW)


def test_the_sample_serves_where_the_whole_is_absent() -> None:
    """Beside the project lie all 8,917 passed results, or the sample is read."""
    assert len(list(read_completions())) == (ROWS if WHOLE.exists() else SAMPLE_ROWS)


def test_failed_results_are_not_certified(tmp_path: Path) -> None:
    """Of a pass and a fail only the pass becomes a completion."""
    file = tmp_path / "studentInfo.csv"
    header = SAMPLE.read_text(encoding="ascii").partition("\n")[0]
    file.write_text(f"{header}\nAAA,2013J,1,Pass\nAAA,2013J,2,Fail\n", encoding="ascii")
    assert [row["learner"] for row in read_completions(file)] == ["ou-1"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_a_data_set(file: AgencyFile) -> None:
    """Its digest and size are those of its bytes, published because the data are public."""
    payload = file.dataset()
    content = (FOLDER / file.name).read_bytes()
    public = parse_dataset(payload, NOW).public
    assert public["published_sha256"] == encode_base64url(sha256(content).digest())
    assert public["published_size_bytes"] == len(content)
    assert payload["rows"] == len(content.splitlines()) - 1


def test_the_new_version_is_the_file_without_its_last_column() -> None:
    """As many rows, other bytes, and nothing of the column that was calculated later."""
    before, after = EMPLOYMENT.dataset(), EMPLOYMENT.dataset(revised_employment())
    assert before["rows"] == after["rows"]
    assert before["row_root"] != after["row_root"]
    assert b"nonfarm_change" not in revised_employment()
