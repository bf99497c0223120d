"""The page /verify in a real browser, served by the real service: what people drop, and what it answers."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader, PdfWriter

from ledger_service.proofs.canonical import encode
from ledger_service.proofs.note import parse_vkey
from ledger_service.proofs.verification_report import check_evidence_of, check_verification_report
from ledger_service.verification.trust_documents import fingerprint
from tests.support.browser import open_page
from tests.support.evidence_factory import EvidenceFactory
from tests.support.http_ledger import HttpLedger
from tests.support.large_file import verify_large_file
from tests.support.verify_desk import FILE, TITLE, VerifyDesk, answer, choose, paste
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

LOADED = "() => performance.getEntriesByType('resource').map(({ name }) => name)"
DROP = """([kind, name, text]) => {
  const data = new DataTransfer();
  if (name === null) data.setData("text", text);
  else data.items.add(new File([text], name));
  const event = new Event(kind, { bubbles: true, cancelable: true });
  event.dataTransfer = event.clipboardData = data;
  document.getElementById("main").dispatchEvent(event);
}"""
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifyDesk]:
    """A ledger that serves."""
    folder = tmp_path_factory.mktemp("verify")
    with HttpLedger(folder) as ledger:
        yield VerifyDesk(ledger, folder)


@pytest.fixture
def page(browser: Browser, desk: VerifyDesk) -> Iterator[Page]:
    """The page, loaded, with its script at work."""
    with open_page(browser) as opened:
        opened.goto(desk.url)
        opened.wait_for_selector("#verify-app", state="visible")
        yield opened


def test_file_and_evidence(page: Page, desk: VerifyDesk) -> None:
    """A file with its evidence is genuine, and another file is not, with the likely cause."""
    choose(page, desk.evidence, desk.file)
    assert answer(page) == "Genuine"
    assert "came from this server, which is the one under audit" in page.inner_text("#verify-answer")
    choose(page, desk.other)
    page.wait_for_selector("text=Not genuine")
    assert "its bytes are others" in page.inner_text("#verify-answer")


def test_asks_for_the_missing_half(page: Page, desk: VerifyDesk) -> None:
    """A file alone, or a digest alone, is asked for its record; then the answer comes."""
    choose(page, desk.file)
    page.wait_for_selector("text=Which record should it belong to?")
    paste(page, f"{desk.ledger.url}/records/{desk.public}")
    assert answer(page) == "Genuine"
    page.reload()
    paste(page, f"{hashlib.sha256(FILE).hexdigest()}  data.csv")
    page.wait_for_selector("text=Which record should it belong to?")
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"


def test_hidden_digest(page: Page, desk: VerifyDesk) -> None:
    """A file whose digest the evidence hides is not judged: the page says what is not shown."""
    choose(page, desk.file, desk.hidden)
    assert answer(page) == "Cannot tell"
    assert "The field file_sha256 is not shown." in page.inner_text("#verify-answer")


def test_record_by_link(page: Page, desk: VerifyDesk) -> None:
    """A record's link, its id, or the page's own address with the id is enough; the answer links to the record."""
    for text in (desk.purchase, f"{desk.url}?record={desk.purchase}"):
        paste(page, text)
        assert answer(page) == "Genuine"
    page.goto(f"{desk.url}?record={desk.purchase}")
    assert answer(page) == "Genuine"
    page.locator(f"a[href='/records/{desk.purchase}']").wait_for()
    assert "The operator's own word" in page.inner_text("#verify-answer")


def test_own_trust(page: Page, desk: VerifyDesk) -> None:
    """Policy and trust file that the user brings are used, and one without the other is asked for."""
    choose(page, desk.policy)
    page.wait_for_selector("text=bring the trust file as well")
    choose(page, desk.trust)
    page.wait_for_selector("text=Now bring evidence")
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"
    assert "with the policy and the trust file that you brought" in page.inner_text("#verify-answer")
    shown = page.locator("#verify-answer code.hash").all_text_contents()
    assert fingerprint(desk.policy.read_bytes()) in shown
    assert fingerprint(desk.trust.read_bytes()) in shown


def test_receipt(page: Page, desk: VerifyDesk) -> None:
    """A receipt shows every field it opens; its missing status is asked from the server and checked here."""
    choose(page, desk.receipt)
    assert answer(page) == "Genuine"
    text = page.inner_text("#verify-answer")
    assert "All fields were shown" in text
    assert "the signed status was asked from this server" in text


def test_changed_evidence(page: Page, desk: VerifyDesk) -> None:
    """Evidence with one value changed is not genuine, and the step that failed is named."""
    value = json.loads(desk.evidence.read_bytes())
    value["fields"] = [
        [item[0], item[1], "x"] if isinstance(item, list) else item for item in value["fields"]
    ]
    changed = desk.folder / "changed.json"
    changed.write_bytes(encode(value))
    choose(page, changed)
    assert answer(page) == "Not genuine"
    said = page.inner_text(".verdict")
    assert "The fields shown belong to this record (failed): The disclosed fields do not belong" in said
    assert "No contents were shown" not in said


def test_button_without_text(page: Page, desk: VerifyDesk) -> None:
    """Choosing a file verifies; whoever presses the button as well gets the same answer again."""
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"
    page.click("#verify-go")
    assert answer(page) == "Genuine"
    assert page.inner_text("#verify-message") == ""


def test_evidence_of_another_ledger(page: Page, desk: VerifyDesk) -> None:
    """Nobody vouches for the keys of a log that this server does not keep: nothing is said either way."""
    foreign = desk.folder / "foreign.json"
    foreign.write_bytes(EvidenceFactory().document(3))
    choose(page, foreign)
    assert answer(page) == "Cannot tell"
    assert "Nobody told this page which keys to believe" in page.inner_text("#verify-answer")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Drop a file"),
        ("hello", "neither evidence nor a receipt"),
        ("A" * 22, "keeps no record"),
        ("https://other.example/records/" + "A" * 22, "kept by other.example"),
        (read_vectors("erasure")["certificate"], "certificate of erasure"),
    ],
)
def test_what_is_not_evidence(page: Page, text: str, said: str) -> None:
    """Whatever else is pasted is named for what it is, or refused in plain words, with no answer below."""
    paste(page, text)
    page.wait_for_selector(f"#verify-message:has-text('{said}')")
    assert page.locator("#answer-line").count() == 0


def test_markup_is_text(page: Page, desk: VerifyDesk) -> None:
    """Fields that look like markup, and characters that turn text around, are shown as they are."""
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"
    assert TITLE in page.inner_text("#verify-answer table")
    assert page.locator("#verify-answer img").count() == 0
    value = json.loads(desk.evidence.read_bytes())
    value["fields"] = json.loads(json.dumps(value["fields"]).replace("<img", "\\u202e<img"))
    turned = desk.folder / "turned\u202e.json"
    turned.write_bytes(encode(value))
    choose(page, turned)
    page.wait_for_selector("text=Not genuine")
    assert "turned\\u202e.json" in page.inner_text("#verify-parts")
    assert "\u202e" not in page.content()


def test_keyboard(page: Page, desk: VerifyDesk) -> None:
    """Everything is reached and done by keys, and the answer gets the focus, so that it is read out."""
    page.focus("#verify-files")
    page.keyboard.press("Tab")
    page.keyboard.type(desk.purchase)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert answer(page) == "Genuine"
    assert page.evaluate("document.activeElement.id") == "answer-line"


def test_removed_part(page: Page, desk: VerifyDesk) -> None:
    """What was brought is listed, and what is removed no longer counts."""
    choose(page, desk.evidence, desk.other)
    assert answer(page) == "Not genuine"
    page.click("button[aria-label='Remove File other.csv']")
    page.wait_for_selector(".people-genuine")
    assert page.locator("#verify-parts li").count() == 1


def test_cancel(page: Page, desk: VerifyDesk) -> None:
    """While a file is hashed no older answer stands there; cancelled, it says so and what is kept is listed."""
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"
    choose(page, desk.sparse("huge.bin", 64 << 30))
    page.locator("#verify-progress output", has_text="huge.bin").wait_for()
    assert page.locator("#answer-line").count() == 0
    page.click("#verify-cancel")
    page.locator("#verify-message", has_text="Cancelled").wait_for()
    page.locator("#verify-progress").wait_for(state="hidden")
    assert page.locator("#verify-parts li").count() == 1
    choose(page, desk.file)
    assert answer(page) == "Genuine"


def test_dropped(page: Page, desk: VerifyDesk) -> None:
    """Files and texts dropped anywhere on the page, and files pasted, count like chosen ones."""
    page.evaluate(DROP, ["drop", "evidence.json", desk.evidence.read_text("utf-8")])
    assert answer(page) == "Genuine"
    page.evaluate(DROP, ["paste", "data.csv", "another file"])
    page.locator(".people-not-genuine").wait_for()
    page.evaluate(DROP, ["drop", None, hashlib.sha256(FILE).hexdigest()])
    page.locator(".people-genuine").wait_for()


def test_chinese(page: Page, desk: VerifyDesk) -> None:
    """The same page in Chinese, to its last sentence, the kernel's details of the eight checks among them."""
    page.goto(f"{desk.url}?lang=zh&record={desk.purchase}")
    assert answer(page) == "真实"
    page.locator("#server-word").wait_for(state="attached")
    assert page.locator("#verify-answer [lang=en]").count() == 0
    details = page.locator("#verify-answer .steps .detail").all_text_contents()
    assert len(details) == 8
    assert all(re.search("[\u4e00-\u9fff]", each) for each in details)
    page.evaluate("() => document.querySelectorAll('code, .languages').forEach((each) => each.remove())")
    assert not re.search("[a-z]{3,} [a-z]{3,} [a-z]{3,}", page.inner_text("#verify-app"))


def test_nothing_of_the_file_is_sent(browser: Browser, desk: VerifyDesk) -> None:
    """A file of 64 MiB is hashed with progress, and no request and no line of the server's log tells of it."""
    found = verify_large_file(browser, desk, 64 << 20)
    assert found.answer == "Genuine"
    assert len(found.progress) > 3
    assert list(found.progress) == sorted(found.progress)
    assert found.leaks == ()
    assert {"default-src 'none'", "connect-src 'self'", "form-action 'self'"} <= set(found.policy.split("; "))
    assert all(url.startswith((desk.ledger.url, "blob:")) for url in found.requests)
    assert json.loads(found.sent).keys() == {"record"}


def test_only_the_worker_runs_wasm(desk: VerifyDesk) -> None:
    """The policy lets the hashing worker run WebAssembly, and nothing else; no policy lets text become code."""
    page = desk.ledger.get("/verify")
    script = re.search(rb"/static/[0-9a-f]+/verify/page.js", page.body)
    assert script is not None
    worker = desk.ledger.get(script[0].decode().replace("page.js", "digest_worker.js"))
    policies = [page, desk.ledger.get(script[0].decode()), worker]
    allowed = ["'wasm-unsafe-eval'" in each.headers["Content-Security-Policy"] for each in policies]
    assert allowed == [False, False, True]
    assert not any("'unsafe-eval'" in each.headers["Content-Security-Policy"] for each in policies)


def test_modules_are_asked_for_at_once(page: Page) -> None:
    """The page names every module that its script needs, each with the hash of what it must be."""
    named = set(
        page.eval_on_selector_all("link[rel=modulepreload][integrity]", "all => all.map(({ href }) => href)")
    )
    loaded = {url for url in page.evaluate(LOADED) if url.endswith(".js")}
    assert {url.rpartition("/")[2] for url in loaded - named} == {"page.js"}
    assert named < loaded


def test_accessible(page: Page, desk: VerifyDesk) -> None:
    """axe-core finds nothing to object to, before an answer and with each of its parts unfolded."""
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate("async () => (await axe.run()).violations") == []
    for answered, paths in {"genuine": [desk.evidence, desk.file], "not-genuine": [desk.other]}.items():
        choose(page, *paths)
        page.locator(
            f".people-{answered} ~ #server-word, .people-{answered} ~ section #server-word"
        ).wait_for()
        for summary in page.locator("#verify-answer details > summary").all():
            summary.click()
        assert page.evaluate("async () => (await axe.run()).violations") == []


def test_signed_report(page: Page, desk: VerifyDesk) -> None:
    """The server's report is fetched when it is asked for, not before, and is about the evidence that was brought."""
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.post_data or ""))
    choose(page, desk.evidence)
    assert answer(page) == "Genuine"
    page.wait_for_load_state("networkidle")
    evidence = desk.evidence.read_text(encoding="utf-8").strip()
    assert evidence not in sent
    vkey = parse_vkey(desk.ledger.get("/v1/verify/vkey").body.decode().strip())
    for name in ("JSON", "PDF"):
        page.get_by_role("button", name=f"Signed report ({name})").click()
        with page.expect_download() as saved:
            page.get_by_role("link", name=f"Save verification.{name.lower()}").click()
        data = saved.value.path().read_bytes()
        if name == "PDF":
            [data] = PdfReader(io.BytesIO(data)).attachments["report.json"]
        check_evidence_of(check_verification_report(data, vkey), evidence.encode())
    assert sent.count(evidence) == 2
    report = desk.write("report.json", data)
    choose(page, report)
    page.wait_for_selector("text=signed report of a verification")


def test_paper(page: Page, desk: VerifyDesk) -> None:
    """A paper is judged by the evidence inside it, which the page says; beside its file it is not that file."""
    asked = f"/v1/records/{desk.private}/paper?fields=file_sha256,title"
    paper = desk.write("paper.pdf", desk.ledger.get(asked, key=desk.ledger.key).body)
    choose(page, paper)
    assert answer(page) == "Genuine"
    assert "not about what the PDF shows" in page.inner_text("#verify-answer")
    choose(page, desk.other)
    page.wait_for_selector("text=Not genuine")
    choose(page, desk.file)
    page.wait_for_selector("text=Genuine")
    page.reload()
    changed = desk.evidence.read_bytes().replace(b"onerror", b"onerrer")
    choose(page, desk.write("drawn.pdf", pdf_with({"evidence.json": changed})))
    assert answer(page) == "Not genuine"
    page.reload()
    # A forged paper beside genuine evidence, in any order, is the file that does not belong to it.
    forged = desk.write("forged.pdf", pdf_with({"evidence.json": desk.evidence.read_bytes()}))
    for order in ([forged, desk.evidence], [desk.evidence, forged], [forged, paper]):
        page.reload()
        choose(page, *order)
        assert answer(page) == "Not genuine"
        assert "forged.pdf" in page.inner_text("#verify-parts")
    page.reload()
    choose(page, forged)
    assert answer(page) == "Genuine"
    choose(page, desk.evidence)
    page.wait_for_selector("text=Not genuine")
    page.reload()
    packed = zlib.compress(bytes(2 << 20))
    part = b"<</Type /EmbeddedFile/Filter /FlateDecode/Length %d>>\nstream\n" % len(packed) + packed
    bomb = b"%PDF-1.7\n" + 500 * part
    choose(page, desk.write("bomb.pdf", bomb))
    page.wait_for_selector("text=Which record should it belong to?")


def pdf_with(files: dict[str, bytes]) -> bytes:
    """A PDF of somebody else's making, with files inside."""
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    for name, data in files.items():
        writer.add_attachment(name, data)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
