"""Signed reports of verifications: their format, their signature, and which evidence they are about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.errors import LedgerError, MalformedError, SignatureError
from ledger_service.proofs.canonical import MAX_DEPTH, decode, encode
from ledger_service.proofs.note import ALG_ED25519, make_vkey, parse_note, parse_vkey
from ledger_service.proofs.verification_report import (
    check_evidence_of,
    check_verification_report,
    report_text,
)
from ledger_service.verification.reports import VerificationSigner
from tests.support.evidence_factory import EvidenceFactory
from tests.support.verification_reports import SIGNER, make_verification
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

FACTORY = EvidenceFactory(records=6)
EVIDENCE, REPORT = make_verification(FACTORY, 3)
SIGNED = SIGNER.sign(REPORT)


def test_what_was_signed_is_what_is_read() -> None:
    """A report comes back whole, and names exactly its evidence."""
    found = check_verification_report(SIGNED, SIGNER.vkey)
    assert found == REPORT
    assert found.verdict["result"] == "valid"
    check_evidence_of(found, EVIDENCE)
    with pytest.raises(SignatureError):
        check_evidence_of(found, EVIDENCE + b" ")


def test_every_changed_byte_is_noticed() -> None:
    """No byte of a signed report can be changed."""
    for place in range(len(SIGNED)):
        changed = SIGNED[:place] + bytes([SIGNED[place] ^ 1]) + SIGNED[place + 1 :]
        with pytest.raises(LedgerError):
            check_verification_report(changed, SIGNER.vkey)


def test_another_key() -> None:
    """A report signed by another key, or checked with a key of another name, is refused."""
    other = VerificationSigner(Ed25519PrivateKey.generate()).vkey
    renamed = make_vkey("audit-ledger/audits", alg=ALG_ED25519, public_key=SIGNER.vkey.public_key)
    for key in (other, renamed):
        with pytest.raises(SignatureError):
            check_verification_report(SIGNED, key)


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.pop("tool"),
        lambda report: report.update(more=1),
        lambda report: report.update(v="audit-ledger/verification-report/v2"),
        lambda report: report.update(evidence="AA"),
        lambda report: report.update(policy=1),
        lambda report: report.update(verdict=[]),
        lambda report: report["verdict"].update(v="audit-ledger/verdict/v2"),
        lambda report: report["verdict"].update(result="perfect"),
        lambda report: report["verdict"].update(result=["valid"]),
        lambda report: report.update(signature=report["signature"] + "\n" + report["signature"]),
        lambda report: report.update(signature=""),
    ],
)
def test_other_forms(change: Callable[[Any], object]) -> None:
    """A report in any other form is refused, whoever signed it."""
    value: Any = decode(SIGNED)
    change(value)
    with pytest.raises(LedgerError):
        check_verification_report(encode(value), SIGNER.vkey)


def test_a_log_of_nobody() -> None:
    """Where no keys were known the report says so."""
    unknown = replace(REPORT, policy=None, trust=None, verdict={**REPORT.verdict, "result": "unknown"})
    assert check_verification_report(SIGNER.sign(unknown), SIGNER.vkey) == unknown


def test_as_deep_as_a_verdict_can_be() -> None:
    """What a verdict may hold, a report may hold."""
    deep: Any = 0
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    whole = replace(REPORT, verdict={**REPORT.verdict, "record": deep})
    assert check_verification_report(SIGNER.sign(whole), SIGNER.vkey) == whole
    with pytest.raises(MalformedError):
        SIGNER.sign(replace(whole, verdict={**REPORT.verdict, "record": [deep]}))


def test_it_is_a_signed_note() -> None:
    """The signed text is the document without its signature, and a newline: any note verifier checks it."""
    document = decode(SIGNED)
    assert isinstance(document, dict)
    text = encode({name: value for name, value in document.items() if name != "signature"}).decode() + "\n"
    assert text == report_text(REPORT)
    note = parse_note(f"{text}\n{document['signature']}\n".encode())
    assert note.signatures[0].name == "audit-ledger/verifications"


def test_the_vector() -> None:
    """The stored report is read with the stored key, and is about the stored evidence."""
    vector = read_vectors("verification_report")
    found = check_verification_report(vector["report"].encode(), parse_vkey(vector["vkey"]))
    check_evidence_of(found, vector["evidence"].encode())
    assert found.verdict["result"] == "valid"
