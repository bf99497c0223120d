"""Signed reports of verifications over HTTP and from the page without scripts."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.proofs.note import parse_vkey
from ledger_service.proofs.verification_report import (
    VerificationReport,
    check_evidence_of,
    check_verification_report,
)
from ledger_service.verification.trust_documents import fingerprint
from tests.support.evidence_factory import EvidenceFactory
from tests.unit.api.conftest import problem_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

# WeasyPrint leaves the file of its colour profile to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*sRGB2014:pytest.PytestUnraisableExceptionWarning")
REPORT = "application/vnd.audit-ledger.verification-report+json"
EVIDENCE = "application/vnd.audit-ledger.evidence+json"


def recorded(desk: Desk) -> tuple[str, bytes]:
    """A purchase and evidence of it that shows its buyer."""
    record = desk.record(EXAMPLE_PURCHASE, name="reported").headers["Record-Id"]
    return record, desk.get(f"/v1/records/{record}/evidence?fields=buyer", key=desk.key).data


def ask(desk: Desk, body: bytes, query: str = "") -> TestResponse:
    """Ask for a report on evidence."""
    return desk.client.post(f"/v1/verify/report{query}", data=body, content_type=EVIDENCE)


def read(desk: Desk, document: bytes) -> VerificationReport:
    """The report, checked with the key that the server gives."""
    vkey = desk.get("/v1/verify/vkey")
    assert vkey.content_type.startswith("text/plain")
    return check_verification_report(document, parse_vkey(vkey.data.decode().strip()))


def test_the_report_says_what_the_verdict_says(desk: Desk) -> None:
    """The signed verdict is that of `POST /v1/verify`, by the policy and trust file that anyone can fetch."""
    _, evidence = recorded(desk)
    reply = ask(desk, evidence)
    assert (reply.status_code, reply.content_type) == (200, REPORT)
    assert reply.headers["Content-Disposition"] == 'attachment; filename="verification.json"'
    report = read(desk, reply.data)
    check_evidence_of(report, evidence)
    verdict = json.loads(desk.client.post("/v1/verify", data=evidence, content_type=EVIDENCE).data)
    assert report.verdict["result"] == verdict["result"] == "valid"
    assert report.verdict["steps"] == verdict["steps"]
    for name, digest in (("policy", report.policy), ("trust", report.trust)):
        assert digest is not None
        served = desk.get(f"/v1/logs/shop/purchases/{name}").data
        assert fingerprint(served).replace(" ", "") == digest[:16].hex()


def test_a_record_by_its_id(desk: Desk) -> None:
    """A record of this ledger is reported on by its id, and what does not exist is not."""
    record, _ = recorded(desk)
    asked = {"record": record}
    report = read(desk, desk.client.post("/v1/verify/report", json=asked).data)
    assert report.verdict["record"]["id"] == record  # type: ignore[call-overload, index]
    assert desk.client.post("/v1/verify/report", json={"record": "A" * 22}).status_code == 404


def test_changed_evidence_and_a_log_of_nobody(desk: Desk) -> None:
    """What is not genuine, and what cannot be told, is reported as such."""
    _, evidence = recorded(desk)
    changed = read(desk, ask(desk, evidence.replace(b"customer-8805", b"customer-8806")).data)
    assert changed.verdict["result"] == "invalid"
    stranger = read(desk, ask(desk, EvidenceFactory(records=3).document(1)).data)
    assert (stranger.verdict["people"], stranger.policy) == ("Cannot tell", None)
    assert read(desk, ask(desk, b"nonsense").data).verdict["record"] is None


@pytest.mark.parametrize(
    ("language", "title", "answer"),
    [("en", "Report of a verification", "Genuine"), ("zh", "验证报告", "真实")],
)
def test_on_paper(desk: Desk, language: str, title: str, answer: str) -> None:
    """The PDF says the answer, and holds the signed report and the evidence that it is about."""
    record, evidence = recorded(desk)
    reply = ask(desk, evidence, f"?format=pdf&lang={language}")
    assert (reply.status_code, reply.content_type) == (200, "application/pdf")
    paper = PdfReader(io.BytesIO(reply.data))
    [document], [inside] = paper.attachments["report.json"], paper.attachments["evidence.json"]
    assert inside == evidence
    check_evidence_of(read(desk, document), inside)
    said = " ".join(" ".join(page.extract_text().split()) for page in paper.pages)
    for text in (title, answer, record, "customer-8805", "The Shop"):
        assert text in said


def test_what_is_no_evidence_on_paper(desk: Desk) -> None:
    """What a stranger sent in is not handed on inside of our paper unless it is evidence."""
    paper = PdfReader(io.BytesIO(ask(desk, b"nonsense", "?format=pdf").data))
    assert list(paper.attachments) == ["report.json"]
    assert "Not genuine" in paper.pages[0].extract_text()


def test_wrong_questions(desk: Desk) -> None:
    """A format or a language that there is not is refused."""
    for query in ("?format=xml", "?lang=tlh"):
        assert problem_of(ask(desk, b"{}", query))["status"] == 400
    assert ask(desk, b"A" * 1_100_000).status_code == 413


def test_the_page_without_scripts(desk: Desk) -> None:
    """The form gives the same reports, as files."""
    record, _ = recorded(desk)
    reply = desk.client.post("/verify", data={"text": record, "report": "json"})
    assert read(desk, reply.data).verdict["people"] == "Genuine"
    paper = desk.client.post("/verify", data={"text": record, "report": "pdf"})
    assert paper.content_type == "application/pdf"
    lost = desk.client.post("/verify", data={"text": "A" * 22, "report": "pdf"})
    assert (lost.status_code, lost.content_type) == (404, "text/html; charset=utf-8")
