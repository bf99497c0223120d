"""A process that dies by SIGKILL, at a named step or anywhere, loses nothing that it acknowledged."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from ledger_service.storage.engine import Database
from tests.support.processes import ChildProcess
from tests.unit.storage.notes import notes

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).parents[3]


def run_until_killed(url: str, armed: str) -> list[int]:
    """Run the writer until its failpoint kills it; returns what it acknowledged."""
    with ChildProcess.start(
        [sys.executable, "-m", "tests.unit.storage.writer_program", url, armed],
        working_directory=ROOT,
        stdout=subprocess.PIPE,
    ) as child:
        shown, _ = child.popen.communicate(timeout=60)
        assert child.popen.returncode == -signal.SIGKILL
    return [int(line) for line in shown.splitlines()]


def run_and_kill(url: str, after: int) -> list[int]:
    """Run the writer, kill it once it has acknowledged that many, and return all it acknowledged."""
    with ChildProcess.start(
        [sys.executable, "-m", "tests.unit.storage.writer_program", url],
        working_directory=ROOT,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.popen.stdout is not None
        shown = [child.popen.stdout.readline() for _ in range(after)]
        child.popen.kill()
        shown += child.popen.stdout.read().splitlines()
    return [int(line) for line in shown]


def stored_words(url: str) -> list[str]:
    """Open the database afresh, let the engine check it, and return what it holds."""
    db = Database.open(url)
    with db.read() as conn:
        if db.dialect == "sqlite":
            assert conn.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        words = list(conn.execute(select(notes.c.word).order_by(notes.c.id)).scalars())
    db.close()
    return words


def pairs(count: int) -> list[str]:
    """What `count` whole writes leave."""
    return [word for number in range(count) for word in (str(number), f"{number}'")]


@pytest.mark.parametrize(("action", "unheard"), [("kill-before", 0), ("kill-after", 1)])
def test_kill_at_the_commit_loses_nothing_acknowledged(database_url: str, action: str, unheard: int) -> None:
    """Killed just before its commit a write is not there at all; killed just after, it is there whole."""
    acknowledged = run_until_killed(database_url, f"records.accept={action}:4")
    assert acknowledged == [0, 1, 2]
    assert stored_words(database_url) == pairs(3 + unheard)


def test_kill_anywhere_loses_nothing_acknowledged(database_url: str, rng: random.Random) -> None:
    """Killed again and again at any moment, the process finds all it acknowledged, whole writes only."""
    total = 0
    for _ in range(4):
        acknowledged = run_and_kill(database_url, after=rng.randint(1, 60))
        assert acknowledged[0] == total
        words = stored_words(database_url)
        assert words == pairs(len(words) // 2)
        assert acknowledged[-1] + 1 <= len(words) // 2 <= acknowledged[-1] + 2
        total = len(words) // 2
