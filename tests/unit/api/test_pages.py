"""Pages for anyone: in two languages, under a policy that lets nothing run but our own files."""

from __future__ import annotations

import gzip
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from api.web.assets import ROOT, integrity_of, load_assets
from ledger_service.wiring.log_keys import rotate_log_keys
from scripts import translate, vendor_assets
from tests.support.http_ledger import purchase, until

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

HTML = {"Accept": "text/html"}
PUBLIC = ("/", "/logs", "/logs/shop/purchases", "/verify", "/home")
NOWHERE = "/records/AAAAAAAAAAAAAAAAAAAAAA"


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        """Read all of it."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.found.append((tag, dict(attrs)))


def tags_of(reply: TestResponse) -> list[tuple[str, dict[str, str | None]]]:
    """The tags of a page."""
    assert reply.content_type == "text/html; charset=utf-8"
    return Tags(reply.text).found


def policy_of(reply: TestResponse) -> dict[str, list[str]]:
    """The directives of a page's content security policy."""
    parts = [part.split() for part in reply.headers["Content-Security-Policy"].split(";")]
    return {name: words for name, *words in parts}


@pytest.fixture(scope="module")
def record(desk: Desk) -> str:
    """A record that is published, while it is known that the chain does not answer."""
    keeper = desk.service.keeper
    assert keeper is not None
    until(lambda: keeper.chain_trouble)
    return desk.record(purchase("shown"), name="shown").headers["Record-Id"]


@pytest.mark.parametrize("path", [*PUBLIC, NOWHERE, "/nowhere", "/home/records"])
def test_a_page_lets_nothing_run_but_what_it_names(desk: Desk, path: str) -> None:
    """Default none, scripts and styles by a nonce of this answer, no plug-in, base, frame or foreign form."""
    first, second = (desk.client.get(path, headers=HTML) for _ in range(2))
    policy = policy_of(first)
    assert policy["default-src"] == policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == policy["connect-src"] == ["'self'"]
    (nonce,) = policy["script-src"]
    assert re.fullmatch(r"'nonce-[A-Za-z0-9_-]{24}'", nonce)
    assert policy["style-src"] == [nonce]
    assert policy_of(second)["script-src"] != [nonce]
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in first.headers


@pytest.mark.parametrize("path", [*PUBLIC, NOWHERE])
def test_a_page_loads_only_our_files_and_names_their_hashes(desk: Desk, path: str) -> None:
    """No inline script, style or handler; whatever is loaded has an address of ours and its SHA-384."""
    for tag, attributes in tags_of(desk.client.get(path, headers=HTML)):
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        loaded = attributes.get("src") if tag == "script" else None
        if tag == "script":
            assert loaded or attributes["type"] == "application/json"
        if tag == "link" and attributes["rel"] == "stylesheet":
            loaded = attributes["href"]
        if loaded:
            name = loaded.removeprefix(f"/static/{load_assets().version}/")
            assert attributes["integrity"] == integrity_of((ROOT / name).read_bytes())
        assert tag not in {"style", "iframe", "object", "embed", "base"}


def test_answers_that_are_no_page_keep_their_policy(desk: Desk, record: str) -> None:
    """The API's answers may run nothing, load nothing and be framed by nobody."""
    for path in (f"/v1/records/{record}", "/v1/logs", "/openapi.json", "/v1/nowhere", "/readyz"):
        reply = desk.client.get(path, headers=HTML)
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "html" not in reply.content_type


def test_a_reader_gets_the_language_that_the_address_or_the_browser_names(desk: Desk) -> None:
    """`?lang=` decides, else what the browser prefers, else English; links keep what was chosen."""
    seen = {
        (query, accepted): re.search(r'<html lang="([^"]+)"', desk.client.get(
            f"/{query}", headers={**HTML, "Accept-Language": accepted}
        ).text)[1]  # type: ignore[index]  # every page has it
        for query in ("", "?lang=en", "?lang=zh")
        for accepted in ("", "zh-CN,zh;q=0.9,en;q=0.5", "zh-Hans", "zh-TW;q=0.4, en", "de", "en-GB")
    }  # fmt: skip
    assert {tag for (query, _), tag in seen.items() if query == "?lang=zh"} == {"zh-Hans"}
    assert {tag for (query, _), tag in seen.items() if query == "?lang=en"} == {"en"}
    plain = {accepted: tag for (query, accepted), tag in seen.items() if not query}
    assert plain["zh-CN,zh;q=0.9,en;q=0.5"] == plain["zh-Hans"] == "zh-Hans"
    assert plain[""] == plain["de"] == plain["en-GB"] == plain["zh-TW;q=0.4, en"] == "en"
    chosen = desk.client.get("/?lang=zh", headers=HTML)
    assert 'href="/verify?lang=zh"' in chosen.text
    assert "Accept-Language" in chosen.headers["Vary"]
    assert desk.client.get("/?lang=xx", headers=HTML).status_code == 400


def test_every_word_is_translated_and_compiled() -> None:
    """The committed catalogues are what the command writes, and nothing in them is left open."""
    assert translate.main(["--check"]) == 0


def test_vendored_files_are_those_of_the_packages() -> None:
    """Each is byte for byte the locked package's file, listed with version, licence and SHA-384."""
    assert vendor_assets.main(["--check"]) == 0
    for each in json.loads(vendor_assets.LIST.read_bytes()):
        assert each["integrity"] == integrity_of((vendor_assets.VENDOR / each["file"]).read_bytes())
        assert each["licence"] in {"MIT", "0BSD", "BSD-0-Clause", "BSD-2-Clause", "Apache-2.0"}


def test_files_are_kept_for_ever_under_an_address_that_names_them(desk: Desk) -> None:
    """The present address is immutable, an older one is not; packed or not, the bytes are the file's."""
    present = load_assets().url("own/ledger.css")
    reply = desk.client.get(present, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    plain = desk.client.get(present)
    assert gzip.decompress(reply.data) == plain.data == (ROOT / "own/ledger.css").read_bytes()
    assert "Content-Encoding" not in plain.headers
    older = desk.client.get("/static/0123456789abcdef/own/ledger.css")
    assert (older.status_code, older.headers["Cache-Control"]) == (200, "public, max-age=1")
    for name in ("nothing.css", "../web/rendering.py", "vendor/../../rendering.py", "own/"):
        assert desk.client.get(f"/static/{load_assets().version}/{name}").status_code == 404


def test_a_record_is_looked_up_by_its_id_or_a_link(desk: Desk, record: str) -> None:
    """Either leads to its page; what can be neither is said to be none."""
    for asked in (record, f"  {record} ", f"https://ledger.example/records/{record}?lang=zh"):
        reply = desk.client.get("/records", query_string={"id": asked, "lang": "zh"})
        assert (reply.status_code, reply.headers["Location"]) == (303, f"/records/{record}?lang=zh")
    for asked in ("", "x", "https://evil.example/", f"//evil.example/{record}", f"{record}\nx"):
        assert desk.client.get("/records", query_string={"id": asked}).status_code == 404


def test_a_record_says_what_is_known_of_it(desk: Desk, record: str) -> None:
    """Verdict with its time, stage with what it waits for, history, path, checkpoint and commands."""
    shown = desk.client.get(f"/records/{record}", headers=HTML).text
    for words in ("Genuine", "Checked by this server at", "published", "chain does not answer", "History",
                  "<svg", "ledger.test/logs/shop/purchases", f"/v1/records/{record}/evidence"):  # fmt: skip
        assert words in shown
    assert "customer" not in shown
    chinese = desk.client.get(f"/records/{record}?lang=zh", headers=HTML).text
    assert "真实" in chinese
    assert "已公布" in chinese


def test_errors_are_pages_to_people_and_problems_to_programs(desk: Desk) -> None:
    """Who asks a page's path gets a page; at a path that nothing has, who prefers HTML gets one."""
    for path, accept, kind in (
        (NOWHERE, "*/*", "text/html"),
        ("/logs/nobody/nothing", "application/json", "text/html"),
        ("/nowhere", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/nowhere", "*/*", "application/problem+json"),
        ("/v1/nowhere", "text/html", "application/problem+json"),
    ):
        reply = desk.client.get(path, headers={"Accept": accept})
        assert (reply.status_code, reply.mimetype) == (404, kind)
    refused = desk.client.delete("/verify", headers=HTML)
    assert (refused.status_code, refused.mimetype) == (405, "text/html")


def test_a_defect_is_a_page_without_its_cause(resting: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody thought of is told with a code and a number to name it by, and no more."""
    monkeypatch.setattr(type(resting.service.logs), "logs", lambda _self: 1 // 0)
    reply = resting.client.get("/logs", headers=HTML)
    assert reply.status_code == 500
    assert "internal_error" in reply.text
    assert "division" not in reply.text


def test_a_strange_host_is_not_repeated(desk: Desk, record: str) -> None:
    """Commands name the host by which the reader came, if it is one."""
    good = desk.client.get(f"/records/{record}", headers={"Host": "ledger.example:8443"})
    assert "http://ledger.example:8443/v1/records/" in good.text
    for host in ("a b", "x$(id)", "x;id", 'x"y', "x/y", "[::1"):
        assert desk.client.get(f"/records/{record}", headers={"Host": host}).status_code == 400


@pytest.mark.usefixtures("record")
def test_two_sizes_are_compared_without_scripts(desk: Desk) -> None:
    """The server says that the larger size continues the smaller, or that there is no such proof."""
    good = desk.client.get("/logs/shop/purchases?from=1&to=2", headers=HTML).text
    assert "the log of 2 entries begins with the log of 1 entries" in good
    for query in ("from=2&to=1", "from=1&to=99999999", "from=x&to=1", "from=1"):
        assert "There is no such proof" in desk.client.get(f"/logs/shop/purchases?{query}").text


def test_a_log_shows_the_keys_that_were_replaced(desk: Desk) -> None:
    """Their sizes and times, newest first, and plainly which must not be believed alone; not a word before."""
    path, settings, clock = "/logs/shop/datasets", desk.service.settings, desk.service.clock
    until(lambda: "datasets" in desk.client.get("/logs").text)
    assert 'id="replaced"' not in desk.client.get(path).text
    assert "in other hands" not in desk.client.get(path).text
    for leaked in (True, False):
        rotate_log_keys(settings, "shop", "datasets", clock=clock, leaked=leaked)
    new, second, first = json.loads(desk.client.get(f"/v1{path}").data)["keys"]
    shown = {language: desk.client.get(f"{path}?lang={language}").text for language in ("en", "zh")}
    for text in shown.values():
        today, earlier = text.split('id="replaced"')
        assert all(key in today for key in new["vkeys"])
        places = [earlier.index(key) for era in (second, first) for key in era["vkeys"]]
        assert places == sorted(places)
        warning = earlier.index('class="note bad"')
        assert places[len(second["vkeys"]) - 1] < warning < places[len(second["vkeys"])]
        assert earlier.count('class="note bad"') == 1
        assert f'datetime="{first["began"]}"' in earlier
    assert f"Sizes {first['from_size']} to {first['to_size']}" in shown["en"]
    assert "Do not believe these keys" in shown["en"]
    assert "请勿仅凭这些密钥采信" in shown["zh"]


def test_the_server_verifies_for_who_has_no_scripts(desk: Desk, record: str) -> None:
    """An uploaded file, pasted evidence, a link and an id get the verdict; of nothing it says so."""
    evidence = desk.get(f"/v1/records/{record}/evidence?fields=all", key=desk.key).data
    for form in (
        {"evidence": (io.BytesIO(evidence), "evidence.json")},
        {"text": evidence.decode()},
        {"text": record},
        {"text": f"http://localhost/records/{record}"},
    ):
        reply = desk.client.post("/verify", data=form)
        assert reply.status_code == 200
        assert "Genuine" in reply.text
    assert "Not genuine" in desk.client.post("/verify", data={"text": "nonsense"}).text
    assert desk.client.post("/verify", data={"text": "A" * 22}).status_code == 404
    assert desk.client.post("/verify", data={"text": "A" * 1_100_000}).status_code == 413
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert desk.client.post("/verify", data={"text": record}, headers=foreign).status_code == 403
