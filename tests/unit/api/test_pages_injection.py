"""Five hundred scripts in disguise, in every field that reaches a page: none of them runs, none fetches anything."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import update

from api.web.record_forms import columns_of
from ledger_service.accounts.tables import organizations
from ledger_service.government.datasets import DATASET, EXAMPLE_DATASET
from ledger_service.log.bulk_writer import BulkRequest
from tests.support.xss_payloads import NUMBER, Detector, payloads
from tests.unit.api.home import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

PAYLOADS: Final = payloads()
AT_A_TIME: Final = 125
# Our own files, known by their nonce, which no payload has: the frames need no styles, and our scripts no frames.
_OURS: Final = re.compile(r'<(?:script|link) [^>]*nonce="[A-Za-z0-9_-]{24}"[^>]*>(?:</script>)?')


@pytest.fixture(scope="module")
def detector(browser: Browser) -> Iterator[Detector]:
    """Sees what runs, where no policy keeps anything from running."""
    watching = Detector(browser)
    yield watching
    watching.close()


@pytest.fixture
def operator(desk: Desk) -> Operator:
    """Someone signed in."""
    signed_in = Operator(desk)
    signed_in.sign_in()
    signed_in.see("/home")
    return signed_in


def loose(detector: Detector, replies: list[TestResponse]) -> list[str]:
    """What pages do that are let loose without their policy."""
    documents = [_OURS.sub("", reply.text) for reply in replies]
    assert all("<html" in document for document in documents)
    ran = []
    for start in range(0, len(documents), AT_A_TIME):
        ran += detector.run(documents[start : start + AT_A_TIME])
    return ran


def test_the_payloads_run_where_nothing_escapes_them(detector: Detector, browser: Browser) -> None:
    """There are five hundred, most of which do something in a text or an attribute; under our policy none does."""
    assert len(PAYLOADS) == len(set(PAYLOADS)) == NUMBER
    raw = [f'<!doctype html><title>x</title><p>{each}<input value="{each}">' for each in PAYLOADS]
    ran: set[str] = set()
    for start in range(0, NUMBER, AT_A_TIME):
        ran |= {f"{start} {each}" for each in detector.run(raw[start : start + AT_A_TIME])}
    frames = {each for each in ran if "frame-" in each}
    assert len(frames) > 250
    assert any("evil.invalid" in each for each in ran)
    assert under_policy(browser, "<!doctype html>" + "".join(f"<p>{each}" for each in PAYLOADS)) == []


def under_policy(browser: Browser, document: str) -> list[str]:
    """What a document does that comes with the policy of our pages and no nonce of theirs."""
    policy = (
        "default-src 'none'; script-src 'nonce-x'; style-src 'nonce-x'; connect-src 'self'; img-src 'self' data:;"
        " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; worker-src 'self'"
    )
    context = browser.new_context()
    ran: list[str] = []
    try:
        page = context.new_page()
        page.add_init_script("window.alert = () => console.log('ran')")
        page.on("console", lambda said: ran.append(said.text) if said.text == "ran" else None)
        page.on("requestfinished", lambda asked: ran.append(asked.url))
        headers = {"Content-Security-Policy": policy, "Content-Type": "text/html"}
        page.route("http://127.0.0.1/raw", lambda route: route.fulfill(body=document, headers=headers))
        page.goto("http://127.0.0.1/raw", wait_until="commit")
        page.wait_for_timeout(300)
    finally:
        context.close()
    return [each for each in ran if each != "http://127.0.0.1/raw"]


def test_what_an_address_says_stays_text(detector: Detector, operator: Operator) -> None:
    """What is looked up, verified, compared and filtered for."""
    for path, name in (("/records", "id"), ("/verify", "record"), ("/logs/shop/purchases", "from"),
                       ("/home/records", "ref")):  # fmt: skip
        replies = [
            operator.client.get(path, query_string={name: each}, headers={"Accept": "text/html"})
            for each in PAYLOADS
        ]
        assert loose(detector, replies) == [], path


def test_what_a_form_says_stays_text(detector: Detector, operator: Operator) -> None:
    """A form with mistakes repeats what was filled into each of its fields."""
    replies = []
    for each in PAYLOADS:
        filled = dict.fromkeys(columns_of("datasets"), each)
        replies.append(operator.send("/home/record/datasets", {"once": "x", **filled}))
    assert {reply.status_code for reply in replies} == {422}
    assert loose(detector, replies) == []


def test_what_a_file_says_stays_text(detector: Detector, operator: Operator) -> None:
    """The name of an imported file, its columns and its cells."""
    replies = []
    for each in PAYLOADS:
        content = json.dumps({each: each, "title": each}).encode()
        file = (io.BytesIO(content), f"{each.replace(chr(34), '')}.ndjson")
        replies.append(operator.send("/home/import", {"kind": "datasets", "action": "check", "file": file}))
    assert {reply.status_code for reply in replies} == {200}
    assert loose(detector, replies) == []


def test_what_an_organization_is_called_stays_text(
    detector: Detector, operator: Operator, desk: Desk
) -> None:
    """Its name in lists, on its logs, on its records and on its operators' pages."""
    record = desk.record(dict(EXAMPLE_DATASET), name="named", word="datasets").headers["Record-Id"]
    pages = ("/logs", "/logs/shop/datasets", f"/records/{record}", "/home/import")
    replies = []
    for number, each in enumerate(PAYLOADS):
        with desk.service.database.write("accounts.write") as conn:
            conn.execute(update(organizations).where(organizations.c.slug == "shop").values(name=each))
        replies.append(operator.see(pages[number % len(pages)]))
    assert {reply.status_code for reply in replies} == {200}
    assert loose(detector, replies) == []


def test_what_a_record_says_stays_text(detector: Detector, operator: Operator, desk: Desk) -> None:
    """Its private fields on its owner's page, and disclosed in evidence on the page that verifies."""
    rows = [
        {**EXAMPLE_DATASET, "title": first, "source": second}
        for first, second in zip(PAYLOADS[::2], PAYLOADS[1::2], strict=True)
    ]
    service = desk.service
    shop = service.organizations.find("shop")
    target = service.log_of(shop.id, DATASET.collection).target
    lines = [json.dumps(row).encode() for row in rows]
    results = list(service.record_rows(BulkRequest(target, DATASET, "injected", lines)))
    found = [each.outcome.id for each in results if hasattr(each.outcome, "id")]
    assert len(found) == NUMBER // 2
    replies = [operator.see(f"/home/records/{record}") for record in found]
    for record in found:
        evidence = service.archive.disclosed_evidence(record, names=None, org_id=shop.id)
        replies.append(operator.send("/verify", {"text": evidence.decode()}))
    assert {reply.status_code for reply in replies} == {200}
    assert all("alert(1)" in reply.text or "evil" in reply.text for reply in replies[:20])
    assert loose(detector, replies) == []
