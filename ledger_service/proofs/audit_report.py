"""The signed report of an audit: what was looked at, in which state it was, what was found, and since when.

It is a signed note whose text is one line of canonical JSON and whose key is named `audit-ledger/audits`. Each
report holds the SHA-256 of the note before it, so that none can be taken out or exchanged unnoticed while a later
one is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_service.errors import ConsistencyError, MalformedError, SignatureError
from ledger_service.proofs.canonical import decode, encode, encode_base64url, format_time, parse_time
from ledger_service.proofs.entry import ORIGIN
from ledger_service.proofs.note import VerifierKey, check_ed25519, parse_note
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.types import Origin, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue

AUDIT_REPORT_VERSION = "audit-ledger/audit-report/v1"
AUDIT_KEY_NAME = "audit-ledger/audits"

_MEMBERS = (
    "v",
    "number",
    "time",
    "tool",
    "scope",
    "finished",
    "logs",
    "looked_at",
    "kept",
    "count",
    "findings",
)
_WORD = re.compile(r"[a-z0-9][a-z0-9_. -]{0,79}")
_HASH = 32


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """A log as the audit found it; `checkpoint` is the SHA-256 of its newest signed note, None without one."""

    origin: Origin
    size: TreeSize
    root: RootHash
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows (or bytes) that never change once they are written: their digest up to number `through`."""

    name: str
    through: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """One thing that was not as it must be. It was so at some time after `since`, where that is known."""

    code: str
    where: str
    problem: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class SignedReport:
    """One audit. `scope` says what was included, `finished` whether it came to its end.

    `findings` are the first of `count`; `previous` is the SHA-256 of the note before, None for number 0.
    """

    number: int
    time: datetime
    tool: str
    scope: tuple[str, ...]
    finished: bool
    logs: tuple[AuditedLog, ...]
    looked_at: tuple[tuple[str, int], ...]
    kept: tuple[KeptRows, ...]
    count: int
    findings: tuple[ReportedFinding, ...]
    previous: bytes | None


def format_audit_report(report: SignedReport) -> str:
    """Return the note text to sign; raises MalformedError."""
    document: JsonValue = {
        "v": AUDIT_REPORT_VERSION,
        "number": report.number,
        "time": format_time(report.time),
        "tool": report.tool,
        "scope": list(report.scope),
        "finished": report.finished,
        "logs": [_format_log(each) for each in report.logs],
        "looked_at": [{"what": what, "count": count} for what, count in report.looked_at],
        "kept": [
            {"name": each.name, "through": each.through, "digest": encode_base64url(each.digest)}
            for each in report.kept
        ],
        "count": report.count,
        "findings": [_format_finding(each) for each in report.findings],
        "previous": None if report.previous is None else encode_base64url(report.previous),
    }
    text = encode(document).decode() + "\n"
    parse_audit_report(text)
    return text


def parse_audit_report(text: str) -> SignedReport:
    """Return the report that `format_audit_report` writes as `text`; raises MalformedError."""
    if not text.endswith("\n"):
        raise MalformedError("The report does not end in a newline.")
    members = object_of(decode(text[:-1].encode()), (*_MEMBERS, "previous"), what="The report")
    if members["v"] != AUDIT_REPORT_VERSION:
        raise MalformedError(f"The text is not an {AUDIT_REPORT_VERSION}.")
    if type(members["finished"]) is not bool:
        raise MalformedError("finished is not true or false.")
    findings = tuple(_parse_finding(each) for each in list_of(members["findings"], what="findings"))
    report = SignedReport(
        number=integer_of(members["number"], what="number"),
        time=parse_time(text_of(members["time"], what="time")),
        tool=text_of(members["tool"], what="tool"),
        scope=tuple(
            text_of(each, what="scope", pattern=_WORD) for each in list_of(members["scope"], what="scope")
        ),
        finished=members["finished"],
        logs=tuple(_parse_log(each) for each in list_of(members["logs"], what="logs")),
        looked_at=tuple(_parse_count(each) for each in list_of(members["looked_at"], what="looked_at")),
        kept=tuple(_parse_kept(each) for each in list_of(members["kept"], what="kept")),
        count=integer_of(members["count"], what="count", at_least=len(findings)),
        findings=findings,
        previous=None
        if members["previous"] is None
        else bytes_of(members["previous"], what="previous", size=_HASH),
    )
    if (report.previous is None) != (report.number == 0):
        raise MalformedError("Report 0, and no other, has no report before it.")
    return report


def check_audit_report(data: bytes, key: VerifierKey) -> SignedReport:
    """Return the report in a signed note, once `key`, the installation's audit key, has signed it.

    Raises MalformedError, or SignatureError when the key did not sign.
    """
    if key.name != AUDIT_KEY_NAME:
        raise SignatureError("The key does not sign audits.", key=key.name)
    note = parse_note(data)
    check_ed25519(note, key)
    return parse_audit_report(note.text)


def check_audit_history(notes: Iterable[bytes], key: VerifierKey) -> Sequence[SignedReport]:
    """Return the reports in `notes`, oldest first, once each is signed and follows the one before it.

    The first may have any number: older ones need not be at hand. Raises as `check_audit_report` does, and
    ConsistencyError when one is missing or exchanged.
    """
    reports: list[SignedReport] = []
    before: bytes | None = None
    for data in notes:
        report = check_audit_report(data, key)
        if reports:
            last = reports[-1]
            if (report.number, report.previous) != (last.number + 1, before):
                raise ConsistencyError("A report does not follow the one before it.", number=report.number)
        before = audit_report_hash(data)
        reports.append(report)
    return reports


def audit_report_hash(data: bytes) -> bytes:
    """Return what the next report holds of this signed note."""
    return sha256(data).digest()


def _format_log(log: AuditedLog) -> JsonValue:
    return {
        "origin": log.origin,
        "size": log.size,
        "root": encode_base64url(log.root),
        "checkpoint": None if log.checkpoint is None else encode_base64url(log.checkpoint),
    }


def _parse_log(value: JsonValue) -> AuditedLog:
    members = object_of(value, ("origin", "size", "root", "checkpoint"), what="A log")
    checkpoint = members["checkpoint"]
    return AuditedLog(
        origin=Origin(text_of(members["origin"], what="origin", pattern=ORIGIN)),
        size=TreeSize(integer_of(members["size"], what="size")),
        root=RootHash(bytes_of(members["root"], what="root", size=_HASH)),
        checkpoint=None if checkpoint is None else bytes_of(checkpoint, what="checkpoint", size=_HASH),
    )


def _parse_count(value: JsonValue) -> tuple[str, int]:
    members = object_of(value, ("what", "count"), what="A count")
    return text_of(members["what"], what="what"), integer_of(members["count"], what="count")


def _parse_kept(value: JsonValue) -> KeptRows:
    members = object_of(value, ("name", "through", "digest"), what="Kept rows")
    return KeptRows(
        name=text_of(members["name"], what="name", pattern=_WORD),
        through=integer_of(members["through"], what="through"),
        digest=bytes_of(members["digest"], what="digest", size=_HASH),
    )


def _format_finding(finding: ReportedFinding) -> JsonValue:
    return {
        "code": finding.code,
        "where": finding.where,
        "problem": finding.problem,
        "since": None if finding.since is None else format_time(finding.since),
    }


def _parse_finding(value: JsonValue) -> ReportedFinding:
    members = object_of(value, ("code", "where", "problem", "since"), what="A finding")
    since = members["since"]
    return ReportedFinding(
        code=text_of(members["code"], what="code", pattern=_WORD),
        where=text_of(members["where"], what="where"),
        problem=text_of(members["problem"], what="problem"),
        since=None if since is None else parse_time(text_of(since, what="since")),
    )
