"""Signed reports of audits: their format, their signature, their order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.errors import ConsistencyError, LedgerError, MalformedError, SignatureError
from ledger_service.log.audit_reports import ReportSigner
from ledger_service.proofs.audit_report import (
    audit_report_hash,
    check_audit_history,
    check_audit_report,
    format_audit_report,
    parse_audit_report,
)
from ledger_service.proofs.note import ALG_ED25519, make_vkey, parse_vkey
from tests.support.audit_history import SIGNER, make_history, make_report
from tests.unit.proofs.vectors import read_vectors


@pytest.mark.parametrize("findings", [0, 1, 3])
def test_round_trip(findings: int) -> None:
    """A report is read back from its text."""
    report = make_report(findings=findings)
    assert parse_audit_report(format_audit_report(report)) == report


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"number":0', '"number":1'),
        ('"number":0', '"number":-1'),
        ('"finished":true', '"finished":1'),
        ('"count":0', '"count":0.5'),
        ("audit-report/v1", "audit-report/v2"),
        ('"scope":[', '"scope":["ALL",'),
        ('"size":3', '"size":"3"'),
        ('"through":1', '"through":1,"more":1'),
        ("}\n", "}"),
        ("}\n", "} \n"),
    ],
)
def test_other_texts(old: str, new: str) -> None:
    """A report in any other form is refused."""
    text = format_audit_report(make_report())
    assert old in text
    with pytest.raises(MalformedError):
        parse_audit_report(text.replace(old, new))


def test_fewer_findings_than_there_are_listed() -> None:
    """A report that lists more findings than it counts is refused."""
    with pytest.raises(MalformedError):
        format_audit_report(replace(make_report(findings=2), count=1))


def test_every_changed_byte_is_noticed() -> None:
    """No byte of a signed report can be changed: it is not the same report any more, or none."""
    note = SIGNER.sign(make_report(findings=1))
    report = check_audit_report(note, SIGNER.vkey)
    for place in range(len(note)):
        changed = note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :]
        with pytest.raises(LedgerError):
            check_audit_report(changed, SIGNER.vkey)
    assert report == make_report(findings=1)


def test_another_key() -> None:
    """A report signed by another key, or by a key of another name, is refused."""
    note = SIGNER.sign(make_report())
    other = ReportSigner(Ed25519PrivateKey.generate()).vkey
    renamed = make_vkey("ledger.test/status", alg=ALG_ED25519, public_key=SIGNER.vkey.public_key)
    for key in (other, renamed):
        with pytest.raises(SignatureError):
            check_audit_report(note, key)


def test_a_history_is_whole_from_its_first_report_on() -> None:
    """Reports follow each other; a missing, repeated or exchanged one is noticed, a missing beginning is not."""
    notes, key = make_history()
    third = SIGNER.sign(make_report(2, previous=audit_report_hash(notes[1])))
    assert [report.number for report in check_audit_history([*notes, third], key)] == [0, 1, 2]
    assert [report.number for report in check_audit_history([notes[1], third], key)] == [1, 2]
    exchanged = SIGNER.sign(make_report(1, previous=audit_report_hash(notes[0])))
    for wrong in ([notes[0], third], [notes[0], notes[0]], [notes[0], exchanged, third]):
        with pytest.raises(ConsistencyError):
            check_audit_history(wrong, key)


def test_the_vector() -> None:
    """The stored history is read and checked with the stored key."""
    vector = read_vectors("audit_report")
    notes = [note.encode() for note in vector["notes"]]
    reports = check_audit_history(notes, parse_vkey(vector["vkey"]))
    assert [report.number for report in reports] == [0, 1]
    assert reports[1].findings[0].code == "tile_wrong"
    assert audit_report_hash(notes[0]).hex() == vector["hash_of_first"]
