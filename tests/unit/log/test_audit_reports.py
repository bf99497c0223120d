"""Reports of audits: signed, recorded in order, and what they say of since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, update

from ledger_service.log.audit_kept import Kept, audit_kept
from ledger_service.log.audit_reports import CHAIN, PAYLOADS, History, describe, read_history, record
from ledger_service.log.auditor import audit
from ledger_service.log.findings import AuditReport
from ledger_service.log.tables import audit_reports, log_entries, log_tiles, logs
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.audit_report import ReportedFinding, check_audit_report
from ledger_service.proofs.merkle import leaf_hash
from tests.support.audit_history import SIGNER
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.proofs.audit_report import SignedReport
    from tests.support.small_ledger import SmallLedger

LOGS = Kept("logs", logs, ("id", "origin"))


def looked_back(ledger: SmallLedger) -> History:
    """What is stored of earlier audits."""
    with ledger.database.read() as conn:
        return read_history(conn, SIGNER.vkey)


def audited(ledger: SmallLedger, *, scope: Sequence[str] = (PAYLOADS,)) -> SignedReport:
    """An audit that is signed and recorded, and a second later it is another time."""
    assert isinstance(ledger.clock, SetClock)
    report = audit(ledger.database, keyring=ledger.keyring, kinds=[PURCHASE])
    history = looked_back(ledger)
    with ledger.database.read() as conn:
        audit_kept(conn, [LOGS], report, history=history)
    described = describe(report, history, scope=scope, now=ledger.clock.now())
    note = record(ledger.database, SIGNER, described)
    ledger.clock.move(1)
    return check_audit_report(note, SIGNER.vkey)


def damage_tile(ledger: SmallLedger, content: bytes = bytes(32)) -> None:
    """Write over the log's only tile."""
    with ledger.database.write("log.assign") as conn:
        conn.execute(update(log_tiles).values(hashes=content))


def test_reports_follow_each_other(ledger: SmallLedger) -> None:
    """Each report is recorded as the next one; together they are one history that says in which state the logs were."""
    ledger.sequencer.sequence(ledger.log.id)
    first, second = audited(ledger), audited(ledger)
    assert (first.number, second.number) == (0, 1)
    history = looked_back(ledger)
    assert (history.reports, history.problem) == ((first, second), None)
    assert [(log.origin, log.size) for log in first.logs] == [(ledger.log.origin, 1)]
    assert first.logs[0].checkpoint is not None
    assert (first.count, first.finished) == (0, True)


def test_a_finding_is_dated_by_the_last_audit_that_did_not_have_it(ledger: SmallLedger) -> None:
    """Damage was done after the last audit of the same scope without it, however often it was found since."""
    ledger.sequencer.sequence(ledger.log.id)
    audited(ledger, scope=(PAYLOADS, CHAIN))
    clean = audited(ledger, scope=(PAYLOADS, CHAIN))
    audited(ledger)
    damage_tile(ledger)
    for _ in range(2):
        found = audited(ledger, scope=(PAYLOADS, CHAIN)).findings
        assert [(each.code, each.since) for each in found] == [("tile_wrong", clean.time)]


def test_a_first_audit_dates_damage_by_when_the_entry_was_accepted(ledger: SmallLedger) -> None:
    """Without an audit before it, the damaged entry is at least no older than itself; what is no entry has no date."""
    ledger.sequencer.sequence(ledger.log.id)
    assert isinstance(ledger.clock, SetClock)
    ledger.clock.move(100)
    ledger.intake.accept([ledger.submission("a")])
    accepted = ledger.clock.now()
    ledger.sequencer.sequence(ledger.log.id)
    ledger.clock.move(100)
    with ledger.database.write("log.assign") as conn:
        conn.execute(update(log_entries).where(log_entries.c.idx == 1).values(leaf=bytes(32)))
    damage_tile(ledger, leaf_hash(b""))
    since = {each.code: each.since for each in audited(ledger).findings}
    assert since["entry_hash"] == accepted
    assert since["tile_wrong"] is None


def test_a_changed_or_missing_report_is_noticed(ledger: SmallLedger) -> None:
    """A report that was changed, exchanged or taken out breaks the history; the sound ones still count."""
    reports = [audited(ledger) for _ in range(3)]
    with ledger.database.write("audit.record") as conn:
        conn.execute(update(audit_reports).where(audit_reports.c.number == 1).values(note=b"nothing"))
    history = looked_back(ledger)
    assert history.reports == (reports[0], reports[2])
    assert history.problem
    for number in (1, 0):
        with ledger.database.write("audit.record") as conn:
            conn.execute(delete(audit_reports).where(audit_reports.c.number == number))
        assert looked_back(ledger).problem
    assert audited(ledger).number == 3


def test_rows_that_never_change_are_held_against_the_last_report(ledger: SmallLedger) -> None:
    """A kept row that was changed since the last report is found and dated by it; a new row is no change."""
    seen = audited(ledger)
    with ledger.database.write("log.open") as conn:
        row = {
            **dict.fromkeys(logs.c.keys(), ""),
            "id": 2,
            "origin": "o/2",
            "org_id": 1,
            "created": 0,
            "era": 0,
        }
        conn.execute(insert(logs).values(row))
    assert "kept_changed" not in {each.code for each in audited(ledger).findings}
    with ledger.database.write("log.open") as conn:
        conn.execute(update(logs).where(logs.c.id == 2).values(origin="o/3"))
    found = [each for each in audited(ledger).findings if each.code == "kept_changed"]
    assert [(each.where, each.since) for each in found] == [
        ("logs", seen.time.replace(second=seen.time.second + 1))
    ]


@pytest.mark.parametrize("text", ["\x00", "\u2028", "\u202e", "x" * 5_000])
def test_odd_text_in_a_finding_is_signed_as_it_is(ledger: SmallLedger, text: str) -> None:
    """Whatever an altered row held, the report that names it can be signed and read again."""
    report = AuditReport()
    report.add("record_differs", text, text)
    signed = SIGNER.sign(describe(report, History(), scope=(), now=ledger.clock.now()))
    assert check_audit_report(signed, SIGNER.vkey).findings == (
        ReportedFinding("record_differs", text, text, None),
    )
