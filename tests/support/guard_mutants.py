"""Runs the authorization matrix against copies of the tree that lack one guard each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

from tests.support.guards import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.guards import Fault

KILLED: Final = "killed"
T = TypeVar("T")
MATRIX: Final = "tests/unit/api/test_authorization.py"
_PAGES: Final = (
    "tests/unit/api/test_pages_scopes.py",
    "tests/unit/api/test_pages_sign_in.py",
    "tests/unit/api/test_pages_write.py",
    "tests/unit/accounts/test_sessions.py",
)
_WEBHOOKS: Final = ("tests/unit/webhooks",)
# Guards that stand where no operation of the OpenAPI document leads: the tests that ask there.
_OTHER_SUITES: Final[Mapping[str, Sequence[str]]] = {
    "api/auth.py admit_operator": ("tests/unit/api/test_metrics.py",),
    "api/routes/pages_": _PAGES,
    "api/web/": _PAGES,
    "ledger_service/accounts/sessions.py": _PAGES,
    "ledger_service/webhooks/endpoints.py Endpoints.register": _WEBHOOKS,
    "ledger_service/webhooks/finality.py": _WEBHOOKS,
}
_COPIED: Final = ("api", "ledger_service", "tests", "pyproject.toml")
_KEYED: Final = "what is looked for was made with the organization's own key, so nothing of another's is met"
# Guards without which nothing changes, by file, function and the beginning of the guard: why.
EQUIVALENT: Final[Mapping[str, str]] = {
    "ledger_service/accounts/api_keys.py ApiKeys.authenticate if key is None": (
        "the secret was compared before, with a digest that no secret has"
    ),
    "ledger_service/verification/finder.py _earliest_unfinal": (
        "only an earlier bound follows, where the walk over the organization's records begins"
    ),
    "ledger_service/log/eraser.py": _KEYED,
    "ledger_service/records/destruction.py find_traces": "records are named by their numbers as well",
    "ledger_service/records/destruction.py destroy_traces": _KEYED,
    "ledger_service/records/idempotency.py": _KEYED,
    "ledger_service/records/search.py module": _KEYED,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a fault: killed, equivalent or survived, and by which test or why."""

    outcome: str
    by: str


class GuardMutants:
    """A copy of the tree in a folder of its own, to which one fault after the other is done. Use it in `with`."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` with the copy, times of files included, so that what was compiled stays so."""
        self._copy = folder / "copy"
        self._output = folder / "output"
        self._whole = folder / "whole"
        self._copy.mkdir(parents=True)
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self._copy / name)
            else:
                shutil.copy2(ROOT / name, self._copy / name)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.guard_judge", str(self._copy)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear("ready")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, which has nothing to finish."""
        self._process.kill()
        self._process.communicate()

    def check_control(self) -> None:
        """Raise RuntimeError unless the copy passes as it is."""
        judged = self._judge([MATRIX, *_PAGES, *_WEBHOOKS])
        if judged.outcome == KILLED:
            raise RuntimeError(f"the tree fails as it is: {self._output.read_text('utf-8')}")

    def judge(self, fault: Fault) -> Judgement:
        """Whether the matrix notices the fault."""
        path = self._copy / fault.path
        whole = shutil.copy2(path, self._whole)
        path.write_bytes(fault.apply(path.read_bytes()))
        try:
            judged = self._judge(suite_of(fault))
        finally:
            shutil.copy2(whole, path)
        if judged.outcome != KILLED and (why := _by_name(EQUIVALENT, fault)):
            return Judgement("equivalent", why)
        return judged

    def _judge(self, suite: Sequence[str]) -> Judgement:
        assert self._process.stdin is not None
        print(self._output, *suite, file=self._process.stdin, flush=True)
        code = self._hear()
        said = self._output.read_text("utf-8")
        found = re.search(r"^(?:FAILED|ERROR) \S+::(\w+)", said, re.MULTILINE)
        if code == "1" and found:
            return Judgement(KILLED, found[1])
        if code != "0":
            raise RuntimeError(f"the tests did not run: {said}")
        return Judgement("survived", "")

    def _hear(self, wanted: str = "") -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if wanted not in line or not line:
            raise RuntimeError(f"the judge is gone: {line}")
        return line


def suite_of(fault: Fault) -> Sequence[str]:
    """The tests that must notice a fault: the matrix, but for what it does not reach."""
    return _by_name(_OTHER_SUITES, fault) or [MATRIX]


def _by_name(table: Mapping[str, T], fault: Fault) -> T | None:
    name = " ".join(fault.row)
    return next((each for start, each in table.items() if name.startswith(start)), None)
