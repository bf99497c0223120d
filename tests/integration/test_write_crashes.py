"""A sample of the crash matrix: each durable step of writing, killed or failed, before or after it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.crash_runs import POINTS, WRITES, run_crash

if TYPE_CHECKING:
    from pathlib import Path

# The writer accepts, assigns and signs once for each write, after the opening's own step.
NTH = 5


@pytest.mark.parametrize("action", ["kill-before", "kill-after", "fail", "fail-done"])
@pytest.mark.parametrize("point", POINTS)
def test_no_acknowledged_record_is_lost(tmp_path: Path, point: str, action: str) -> None:
    """After a crash at any step every answer holds, every key gives one record, the auditor is content."""
    run = run_crash(tmp_path, url=f"sqlite:///{tmp_path / 'ledger.sqlite'}", crash=f"{point}={action}:{NTH}")
    expected = {"kill-before": {-signal.SIGKILL}, "kill-after": {-signal.SIGKILL}}.get(action, {3, 4, 5})
    assert run.status in expected
    assert run.recovered_size == WRITES + 1
    assert run.accepted >= WRITES
