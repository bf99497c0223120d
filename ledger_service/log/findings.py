"""What an audit found. An audit that could not look everywhere is not clean."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger_service.errors import LedgerError
from ledger_service.storage.faults import classify_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.proofs.audit_report import AuditedLog, KeptRows

MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be: a stable code, where it is, and what is wrong in words.

    It was right at the instant `since` at the latest, as far as is known: there was nothing before.
    """

    code: str
    where: str
    problem: str
    since: int | None = None


@dataclass(slots=True)
class AuditReport:
    """The findings of one audit, the first thousand of them in words, and how much was looked at.

    `accepted` is when the entry that is looked at now was accepted; `unseen` is what could not be looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    looked_at: Counter[str] = field(default_factory=Counter)
    logs: list[AuditedLog] = field(default_factory=list)
    kept: list[KeptRows] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    accepted: int | None = None

    def add(self, code: str, where: str, problem: str, *, since: int | None = None) -> None:
        """Report a finding."""
        self.count += 1
        if len(self.findings) < MOST_KEPT:
            self.findings.append(Finding(code, where, problem, since or self.accepted))

    @contextmanager
    def looking_at(self, where: str) -> Iterator[None]:
        """Whatever keeps the audit from looking there is a finding, and then the audit does not come to its end.

        An altered row can hold anything, so any error counts.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001  it becomes a finding
            self.unseen.append(where)
            origin = getattr(error, "orig", None) or error
            if isinstance(error, LedgerError):
                self.add(error.code, where, error.text[:200])
            else:
                code = "unreadable" if classify_error(error) is None else "database_unreadable"
                self.add(code, where, f"{type(origin).__name__}: {origin}"[:200])

    @property
    def finished(self) -> bool:
        """Whether everything that was to be looked at could be looked at."""
        return not self.unseen

    @property
    def clean(self) -> bool:
        """Whether everything was looked at and nothing was found."""
        return self.count == 0
