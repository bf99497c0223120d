"""Records on paper: the PDF says what the evidence inside it proves."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from api.web import papers
from api.web.papers import EVIDENCE_NAME, say_amount
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.trust import parse_trust
from ledger_service.proofs.verify import verify
from tests.support.sample_papers import EXAMPLES
from tests.unit.api.conftest import problem_of

if TYPE_CHECKING:
    from ledger_service.proofs.canonical import JsonValue
    from tests.unit.api.conftest import Desk

# WeasyPrint leaves the file of its colour profile to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*sRGB2014:pytest.PytestUnraisableExceptionWarning")


def paper_of(desk: Desk, word: str, *, asked: str = "", key: str | None = None) -> PdfReader:
    """Record the example of a kind and read its paper with somebody else's library."""
    record = desk.record(EXAMPLES[word], name=f"paper-{word}", word=word).headers["Record-Id"]
    reply = desk.get(f"/v1/records/{record}/paper{asked}", key=key)
    assert reply.status_code == 200, reply.data
    assert reply.content_type == "application/pdf"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{record}.pdf"'
    return PdfReader(io.BytesIO(reply.data))


def text_of(paper: PdfReader) -> str:
    """All that it says, without its line breaks."""
    return " ".join(" ".join(page.extract_text().split()) for page in paper.pages)


@pytest.mark.parametrize(
    ("word", "title", "says"),
    [
        ("purchases", "Receipt for a purchase", "45.00 USD"),
        ("completions", "Certificate of completion", str(EXAMPLE_COMPLETION["certificate_number"])),
        ("datasets", "Notarization certificate", decode_base64url(str(EXAMPLE_DATASET["file_sha256"])).hex()),
    ],
)
def test_the_evidence_inside_gives_the_same_verdict_offline(
    desk: Desk, word: str, title: str, says: str
) -> None:
    """What another program takes out of the PDF is evidence of exactly the fields that the paper shows."""
    paper = paper_of(desk, word, asked="?fields=all", key=desk.key)
    [inside] = paper.attachments[EVIDENCE_NAME]
    trust = desk.service.trust_documents("shop", word)
    verdict = verify(
        inside,
        policy=parse_policy(trust.policy),
        trust=parse_trust(trust.trust),
        now=desk.service.clock.now(),
    )
    assert verdict.result == "valid"
    assert verdict.scope == "all fields"
    said = text_of(paper)
    assert title in said
    assert "The Shop" in said
    assert "Genuine" in said
    assert says in said


def test_without_a_key_a_paper_shows_no_contents(desk: Desk) -> None:
    """Anyone may have the paper of a record; neither it nor the evidence inside discloses a private field."""
    paper = paper_of(desk, "purchases")
    [inside] = paper.attachments[EVIDENCE_NAME]
    for secret in ("customer-8805", "2026-004711", "45.00", "4500"):
        assert secret not in text_of(paper)
        assert secret.encode() not in inside


def test_fields_need_the_organizations_key(desk: Desk) -> None:
    """Who may not see a field gets no paper that shows it."""
    record = desk.record(EXAMPLE_PURCHASE, name="paper-purchases").headers["Record-Id"]
    assert desk.get(f"/v1/records/{record}/paper?fields=buyer").status_code == 401
    assert desk.get(f"/v1/records/{record}/paper?fields=nothing", key=desk.key).status_code == 400
    assert desk.get("/v1/records/AAAAAAAAAAAAAAAAAAAAAA/paper").status_code == 404
    assert desk.get(f"/v1/records/{record}/paper?lang=tlh").status_code == 400


def test_it_speaks_chinese(desk: Desk) -> None:
    """The paper comes in Simplified Chinese, in letters that can be copied out again."""
    assert "公证证书" in text_of(paper_of(desk, "datasets", asked="?lang=zh"))


def test_it_says_that_it_is_an_archive_file(desk: Desk) -> None:
    """The metadata state PDF/A-3 at level A, and the attachment is data that belongs to the paper."""
    paper = paper_of(desk, "completions")
    root: Any = paper.trailer["/Root"]
    assert re.search(rb'pdfaid:part="3" pdfaid:conformance="A"', root["/Metadata"].get_data())
    assert {each.get_object()["/AFRelationship"] for each in root["/AF"]} == {"/Data"}


def test_a_machine_that_cannot_draw_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its libraries a server answers 503 with a code of its own, and everything else goes on."""
    record = desk.record(EXAMPLE_PURCHASE, name="paper-purchases").headers["Record-Id"]
    papers._load.cache_clear()
    # What Python does for a module that cannot be found.
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    reply = desk.get(f"/v1/records/{record}/paper")
    assert (reply.status_code, problem_of(reply)["code"]) == (503, "papers_unavailable")
    monkeypatch.undo()
    papers._load.cache_clear()


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (1234, "USD", "12.34 USD"),
        (-5, "USD", "-0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (1234, "JPY", "1234 JPY"),
        (1, "KWD", "0.001 KWD"),
    ],
)
def test_amounts_stand_with_their_decimals(minor: int, currency: str, said: str) -> None:
    """An amount in minor units is written in its currency's places."""
    assert say_amount(minor, currency) == said


def test_fields_of_any_type_are_said(desk: Desk) -> None:
    """What a stranger's evidence shows under our names may be anything."""
    odd: dict[str, JsonValue] = {
        "amount_minor": True,
        "adjustment_minor": 5,
        "currency": ["USD"],
        "items": [{"sku": None, "extra": {"deep": [1]}}, 7],
        "file_sha256": "no digest",
        "file_sm3": 3,
    }
    app = desk.client.application
    with app.test_request_context("/"):
        said = dict(papers._say_fields("purchase/v1", odd))
    assert [line for lines in said.values() for line in lines if "no digest" in line]
    assert len(said) == len(odd)
