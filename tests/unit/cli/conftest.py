"""The command run in this process, on an installation of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.cli.command import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said as JSON."""
        return json.loads(self.out)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory that the environment names; nothing is in it yet. The test stands in a folder beside it."""
    folder = tmp_path / "data"
    monkeypatch.setenv("AUDIT_LEDGER_DATA_DIR", str(folder))
    monkeypatch.setenv("AUDIT_LEDGER_ORIGIN_HOST", "ledger.test")
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    return folder


@pytest.fixture
def command(data: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `audit-ledger` with these arguments."""
    del data

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call
