"""Damages one after the other, each to a fresh copy: found by the auditor, or harmless, and never served as valid."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ledger_service.errors import LedgerError
from ledger_service.wiring.auditing import run_audit
from tests.support.damage_answers import (
    Answers,
    Asked,
    ask_what_to_ask,
    evidence_answers,
    opened,
    other_answers,
    wrongly_valid,
)
from tests.support.damages import damage
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_service.wiring import Service

FOUND = "found"
HARMLESS = "harmless"
MISSED = "missed"
SKIPPED = frozenset({"chain.sqlite.lock"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one damage: the auditor's first code if it was found, and what must not have happened."""

    kind: str
    done: str
    result: str
    code: str
    wrong: tuple[str, ...]
    faults: tuple[str, ...]
    dated: bool

    @property
    def broken(self) -> bool:
        """Whether a promise was broken."""
        return self.result == MISSED or bool(self.wrong or self.faults)


class DamageRun:
    """An undamaged installation, all that it answers, and copies of it."""

    def __init__(self, original: Path, environment: dict[str, str], *, key: str, folder: Path) -> None:
        """`original` is a data directory that nothing uses; copies are made in `folder`."""
        self._original = original
        self._folder = folder
        self._environment = environment
        # Later than everything that was stored, and before statuses are too old to be valid.
        self._now = datetime.now(UTC) + timedelta(hours=1)
        with opened(self._copy(), now=self._now) as service:
            self._asked = ask_what_to_ask(service, key)
            self.evidence = evidence_answers(service, self._asked)
            self._others = other_answers(service, self._asked)
            self.audited = run_audit(service, chain=True, recorded=False).report
        self.faults = tuple(self._asked.faults)

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self._asked.records)

    def run(self, seed: str) -> Outcome:
        """Damage a copy as the seed says, audit it, and ask it everything."""
        environment = self._copy()
        kind, done = damage(seeded(seed), self._folder / "copy")
        asked = Asked(self._asked.records, self._asked.logs, self._asked.key)
        try:
            with opened(environment, now=self._now) as service:
                return self._try(service, asked, kind=kind, done=done)
        except LedgerError as error:
            # What cannot even be opened serves nothing.
            return Outcome(kind, done, FOUND, error.code, (), (), dated=False)
        except Exception as error:  # noqa: BLE001  it is what we look for
            return Outcome(
                kind, done, MISSED, "", (), (f"opening: {type(error).__name__}: {error}",), dated=False
            )

    def _try(self, service: Service, asked: Asked, *, kind: str, done: str) -> Outcome:
        report = run_audit(service, chain=True, recorded=False).report
        evidence = evidence_answers(service, asked)
        wrong = tuple(wrongly_valid(service, self.evidence, evidence))
        result, code, dated = FOUND, "", False
        if report.count:
            code = report.findings[0].code
            dated = all(each.since is not None for each in report.findings)
        else:
            others: Answers = other_answers(service, asked)
            same = evidence == self.evidence and others == self._others
            result = HARMLESS if same else MISSED
            if not same:
                changed = [
                    name
                    for name, said in (evidence | others).items()
                    if said != (self.evidence | self._others)[name]
                ]
                code = f"{len(changed)} answers differ, such as {changed[0]}"
        return Outcome(kind, done, result, code, wrong, tuple(asked.faults), dated=dated)

    def _copy(self) -> dict[str, str]:
        target = self._folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self._original, target, ignore=lambda _, names: SKIPPED & set(names))
        return {**self._environment, "AUDIT_LEDGER_DATA_DIR": str(target)}


@dataclass(frozen=True, slots=True)
class Campaign:
    """Many damages to one ledger, in shares that processes of their own run."""

    data: Path
    environment: dict[str, str]
    key: str
    work: Path
    seed: int

    def run(self, share: range) -> tuple[int, list[Outcome]]:
        """The number of records, and what came of the damages of these numbers."""
        folder = self.work / str(share.start)
        folder.mkdir()
        run = DamageRun(self.data, self.environment, key=self.key, folder=folder)
        assert (run.audited.findings, run.faults) == ((), ())
        outcomes = []
        for number in share:
            outcomes.append(run.run(f"{self.seed}/{number}"))
            if outcomes[-1].broken or number % 50 == 0:
                sys.stderr.write(f"{number} {outcomes[-1]}\n")
        return run.records, outcomes
