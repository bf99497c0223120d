"""What an audit found. An audit that could not look everywhere is not clean."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be: a stable code, where it is, and what is wrong in words."""

    code: str
    where: str
    problem: str


@dataclass(slots=True)
class AuditReport:
    """The findings of one audit, the first thousand of them in words, and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    looked_at: Counter[str] = field(default_factory=Counter)

    def add(self, code: str, where: str, problem: str) -> None:
        """Report a finding."""
        self.count += 1
        if len(self.findings) < MOST_KEPT:
            self.findings.append(Finding(code, where, problem))

    @property
    def clean(self) -> bool:
        """Whether everything was looked at and nothing was found."""
        return self.count == 0
