"""Signed reports of verifications over HTTP and from the page without scripts."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.note import parse_vkey
from ledger_service.proofs.verification_report import (
    VerificationReport,
    check_evidence_of,
    check_verification_report,
)
from ledger_service.verification.trust_documents import fingerprint
from tests.support.evidence_factory import EvidenceFactory, purchase_values
from tests.unit.api.conftest import problem_of, signing_desk

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from ledger_service.proofs.canonical import JsonValue
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
    """Evidence changes with its log, so that a report on an id would be about bytes that nobody has."""
    record, _ = recorded(desk)
    refused = ask(desk, json.dumps({"record": record}).encode())
    assert (refused.status_code, "evidence" in problem_of(refused)["detail"]) == (400, True)


def test_another_moment_is_said(desk: Desk) -> None:
    """A report on the past says so beside its answer, so that nobody takes it for one on today."""
    _, evidence = recorded(desk)
    now = desk.service.clock.now().replace(microsecond=0)
    past = format_time(now - timedelta(hours=1))
    report = read(desk, ask(desk, evidence, f"?at={past}&known_at={format_time(now)}").data)
    assert (report.verdict["at"], report.verdict["known_at"]) == (past, format_time(now))
    paper = PdfReader(io.BytesIO(ask(desk, evidence, f"?format=pdf&at={past}").data))
    assert "nothing is said of what came after" in " ".join(paper.pages[0].extract_text().split())
    today = PdfReader(io.BytesIO(ask(desk, evidence, "?format=pdf").data))
    assert "nothing is said of what came after" not in " ".join(today.pages[0].extract_text().split())


def stranger(amount: JsonValue, *, currency: JsonValue = "USD") -> bytes:
    """Evidence of a log of nobody's, with fields of any type, that opens its commitment."""
    factory = EvidenceFactory(records=2)
    index = factory.add_record({**purchase_values(9), "amount_minor": amount, "currency": currency})
    return factory.document(index, names=("amount_minor", "currency"))


def test_fields_of_strangers_on_paper(desk: Desk) -> None:
    """Whatever types and characters a stranger's fields have, they are drawn, or refused for their length, at once."""
    odd = ask(desk, stranger(1, currency=[]), "?format=pdf")
    assert odd.status_code == 200
    turned = PdfReader(io.BytesIO(ask(desk, stranger("a\u202eb"), "?format=pdf").data))
    assert "a\\u202eb" in " ".join(page.extract_text() for page in turned.pages)
    assert ask(desk, stranger("x" * 40_000), "?format=pdf").status_code == 200
    long = ask(desk, stranger("x" * 60_000), "?format=pdf")
    assert (long.status_code, problem_of(long)["code"]) == (422, "paper_too_long")
    assert ask(desk, stranger("x" * 60_000)).status_code == 200


def test_without_its_key_nothing_is_signed(tmp_path: Path) -> None:
    """A lost key is not remade by whoever asks, and what the server cannot know it does not sign."""
    with signing_desk(tmp_path) as desk:
        record, evidence = recorded(desk)
        [key] = desk.service.settings.keys_dir.glob("verification-*.key")
        kept = key.read_bytes()
        key.unlink()
        assert problem_of(ask(desk, evidence))["code"] == "bad_key_file"
        assert desk.get("/v1/verify/vkey").status_code == 503
        assert desk.client.post("/verify/report?format=pdf", data={"text": record}).status_code == 503
        assert list(desk.service.settings.keys_dir.glob("verification-*.key")) == []
        key.write_bytes(kept)
        key.chmod(0o600)
        assert ask(desk, evidence).status_code == 200
        for each in desk.service.settings.keys_dir.glob("status-*.key"):
            each.unlink()
        desk.service.signers._sets.clear()
        assert ask(desk, evidence).status_code == 503
        assert desk.service.judge.judge(evidence).result == "unknown"


def test_papers_cost_more_of_the_budget(tmp_path: Path) -> None:
    """Drawing is charged as what it costs, so that one address cannot keep the server drawing."""
    with signing_desk(tmp_path, LIMIT_VERIFICATIONS="201") as desk:
        _, evidence = recorded(desk)
        statuses = [ask(desk, evidence, "?format=pdf").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert ask(desk, evidence).status_code == 200


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


def test_a_receipt(desk: Desk) -> None:
    """It is judged as what its holder could show, which lacks a status; a report would be about other bytes."""
    record, _ = recorded(desk)
    receipt = desk.get(f"/v1/records/{record}/receipt", key=desk.key).data
    verdict = json.loads(desk.client.post("/v1/verify", data=receipt, content_type="application/json").data)
    assert (verdict["result"], verdict["scope"]) == ("unknown", "all fields")
    assert ask(desk, receipt).status_code == 400
    shown = desk.client.post("/verify", data={"text": receipt.decode()}).text
    assert "people-cannot-tell" in shown
    assert desk.client.post("/verify/report?format=json", data={"text": receipt.decode()}).status_code == 400
    reply = desk.client.post("/verify/report?format=pdf", data={"text": receipt.decode()})
    [document] = PdfReader(io.BytesIO(reply.data)).attachments["report.json"]
    assert read(desk, document).verdict["people"] == "Cannot tell"


def test_the_page_without_scripts(desk: Desk) -> None:
    """The form gives the same reports, as files."""
    record, _ = recorded(desk)
    _, evidence = recorded(desk)
    reply = desk.client.post("/verify/report?format=json", data={"text": evidence.decode()})
    assert read(desk, reply.data).verdict["people"] == "Genuine"
    paper = PdfReader(io.BytesIO(desk.client.post("/verify/report?format=pdf", data={"text": record}).data))
    [document], [inside] = paper.attachments["report.json"], paper.attachments["evidence.json"]
    check_evidence_of(read(desk, document), inside)
    named = desk.client.post("/verify/report?format=json", data={"text": record})
    assert (named.status_code, named.content_type) == (400, "text/html; charset=utf-8")
    assert desk.client.post("/verify/report?format=xml", data={"text": record}).status_code == 400
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert desk.client.post("/verify/report", data={"text": record}, headers=foreign).status_code == 403
    lost = desk.client.post("/verify/report?format=pdf", data={"text": "A" * 22})
    assert (lost.status_code, lost.content_type) == (404, "text/html; charset=utf-8")
