"""The guard file remembers how far logs were published, and never less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.chain.guard import HighWaterGuard, KnownContract, Marks, format_marks, parse_marks
from ledger_service.errors import InjectedFaultError, MalformedError, RollbackDetectedError, StorageFatalError
from ledger_service.storage import failpoints
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from pathlib import Path

HASH = st.binary(min_size=32, max_size=32)
CONTRACT = KnownContract(31337, b"\x01" * 32, "PurchaseLedger", b"\x02" * 20, 3)
MARKS = st.builds(
    Marks,
    st.dictionaries(
        st.text("abc./", min_size=1, max_size=9), st.tuples(st.integers(1, 2**53 - 1), HASH), max_size=4
    ),
    st.just(()) | st.just((CONTRACT,)),
)


@given(MARKS)
def test_marks_survive_the_file(marks: Marks) -> None:
    """What is written is read back, and only exactly that is read."""
    data = format_marks(marks)
    assert parse_marks(data) == marks
    for broken in (data + b"\n", data[:-1], data.replace(b"guard/v1", b"guard/v2")):
        with pytest.raises(MalformedError):
            parse_marks(broken)


def test_marks_go_up_only(tmp_path: Path) -> None:
    """A log that is behind its mark, or gone, keeps the mark, and so does another process."""
    path = tmp_path / "guard.json"
    paper, other = PaperLog("one", 1).grow(9), PaperLog("two", 2).grow(3)
    guard = HighWaterGuard(path)
    guard.record([paper.head(), other.head()], contracts=[CONTRACT])
    older = PaperLog("one", 1).grow(4)
    guard.record([older.head()], contracts=[])
    assert HighWaterGuard(path).marks == Marks(
        {"one": (9, paper.root(9)), "two": (3, other.root(3))}, (CONTRACT,)
    )
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "restored",
    [
        PaperLogs(PaperLog("one").grow(8)),
        PaperLogs(PaperLog("two").grow(20)),
        PaperLogs(PaperLog("one").grow(20, word="x")),
    ],
    ids=["shorter", "missing", "another tree"],
)  # fmt: skip
def test_an_older_database_is_found_out(tmp_path: Path, restored: PaperLogs) -> None:
    """Less than was published, or something else, must not sign."""
    guard = HighWaterGuard(tmp_path / "guard.json")
    guard.record([PaperLog("one", 1).grow(9).head()], contracts=[])
    with pytest.raises(RollbackDetectedError):
        guard.check(restored)


def test_a_database_that_went_on_is_well(tmp_path: Path) -> None:
    """More than was published is normal: the mark is raised a little later than the checkpoint is stored."""
    guard = HighWaterGuard(tmp_path / "guard.json")
    paper = PaperLog("one", 1).grow(9)
    guard.record([paper.head()], contracts=[])
    paper.grow(5)
    assert guard.check(PaperLogs(paper)).logs["one"][0] == 9


@pytest.mark.parametrize("action", ["fail", "fail-done"])
def test_a_failed_write_leaves_a_whole_file(tmp_path: Path, action: str) -> None:
    """The file is the old one or the new one, never half of one, and the next write succeeds."""
    path = tmp_path / "guard.json"
    guard = HighWaterGuard(path)
    paper = PaperLog("one", 1).grow(3)
    guard.record([paper.head()], contracts=[])
    failpoints.arm(f"chain.guard={action}")
    with pytest.raises(InjectedFaultError):
        guard.record([paper.grow(1).head()], contracts=[])
    failpoints.disarm()
    assert HighWaterGuard(path).marks.logs["one"][0] == (3 if action == "fail" else 4)
    guard.record([paper.head()], contracts=[])
    assert HighWaterGuard(path).marks.logs["one"][0] == 4


def test_a_guard_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    """Without its guard the writer must not go on."""
    guard = HighWaterGuard(tmp_path / "missing" / "guard.json")
    with pytest.raises(StorageFatalError):
        guard.record([PaperLog("one", 1).grow(1).head()], contracts=[])
