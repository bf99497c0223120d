"""Signed reports of audits: made of what an audit found, stored one after the other, read back and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from ledger_service.errors import LedgerError
from ledger_service.log.note_signer import NoteSigner
from ledger_service.log.tables import audit_reports
from ledger_service.proofs.audit_report import (
    AUDIT_KEY_NAME,
    ReportedFinding,
    SignedReport,
    audit_report_hash,
    check_audit_history,
    check_audit_report,
    format_audit_report,
)
from ledger_service.storage.metadata import from_instant, to_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import Connection

    from ledger_service.log.findings import AuditReport, Finding
    from ledger_service.proofs.note import VerifierKey
    from ledger_service.storage.engine import Database

PAYLOADS: Final = "payloads"
CHAIN: Final = "chain"


class ReportSigner:
    """Signs reports with a key that signs nothing else."""

    __slots__ = ("_notes", "vkey")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Sign with `key`."""
        self._notes = NoteSigner(AUDIT_KEY_NAME, key)
        self.vkey = self._notes.vkey

    def sign(self, report: SignedReport) -> bytes:
        """The signed note; raises MalformedError for a report that is too large."""
        return self._notes.sign(format_audit_report(report))


@dataclass(frozen=True, slots=True)
class History:
    """What earlier audits said, oldest first, as far as their signatures hold; `problem` says what does not."""

    reports: tuple[SignedReport, ...] = ()
    problem: str | None = None

    @property
    def last(self) -> SignedReport | None:
        """The newest."""
        return self.reports[-1] if self.reports else None


def read_notes(conn: Connection) -> Sequence[bytes]:
    """The stored reports as they were signed, oldest first."""
    found = conn.execute(select(audit_reports.c.note).order_by(audit_reports.c.number))
    return [bytes(note) for note in found.scalars()]


def read_history(conn: Connection, key: VerifierKey) -> History:
    """The stored reports, each checked by itself, and whether they are one history from number 0 on."""
    notes = read_notes(conn)
    try:
        reports = check_audit_history(notes, key)
        if reports and reports[0].number != 0:
            return History(tuple(reports), "the first reports are missing")
        return History(tuple(reports))
    except LedgerError as error:
        return History(tuple(_sound(notes, key)), error.text)


def _sound(notes: Sequence[bytes], key: VerifierKey) -> list[SignedReport]:
    sound = []
    for note in notes:
        try:
            sound.append(check_audit_report(note, key))
        except LedgerError:
            continue
    return sound


def describe(report: AuditReport, history: History, *, scope: Sequence[str], now: datetime) -> SignedReport:
    """What the report says, as it will be signed: with the last moment at which each finding was not so."""
    earlier = [each for each in history.reports if each.finished and set(scope) <= set(each.scope)]
    last = history.last
    return SignedReport(
        number=0 if last is None else last.number + 1,
        time=now.replace(microsecond=0),
        tool=f"audit-ledger {version('audit-ledger')}",
        scope=tuple(sorted(scope)),
        finished=report.finished,
        logs=tuple(report.logs),
        looked_at=tuple(sorted(report.looked_at.items())),
        kept=tuple(report.kept),
        count=report.count,
        findings=tuple(_describe(each, earlier) for each in report.findings),
        previous=None if last is None else bytes(32),
    )


def record(database: Database, signer: ReportSigner, report: SignedReport) -> bytes:
    """Sign the report as the next one and store it, durable on return; returns the signed note.

    Raises StorageError, and MalformedError for a report that is too large.
    """
    with database.write("audit.record") as conn:
        newest = select(audit_reports).order_by(audit_reports.c.number.desc()).limit(1)
        last = conn.execute(newest).first()
        if last is None:
            following = replace(report, number=0, previous=None)
        else:
            following = replace(report, number=last.number + 1, previous=audit_report_hash(bytes(last.note)))
        note = signer.sign(following)
        conn.execute(insert(audit_reports).values(number=following.number, note=note))
    return note


def _describe(finding: Finding, earlier: Sequence[SignedReport]) -> ReportedFinding:
    """Since when: the newest audit of this scope that did not find it, or when the entry was accepted."""
    moments = [] if finding.since is None else [finding.since]
    same = (finding.code, finding.where)
    for report in reversed(earlier):
        if report.count == len(report.findings) and all((f.code, f.where) != same for f in report.findings):
            moments.append(to_instant(report.time))
            break
    since = from_instant(max(moments)).replace(microsecond=0) if moments else None
    return ReportedFinding(finding.code, finding.where, finding.problem, since)
