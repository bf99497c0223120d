"""Signing in to the operator's pages: what a browser keeps, what a form must carry, how a session ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger_service.accounts.key_text import parse_key
from ledger_service.accounts.scopes import Scope
from ledger_service.accounts.sessions import IDLE, LONGEST
from tests.support.http_ledger import purchase
from tests.unit.api.home import ABROAD, LOCAL, Operator

if TYPE_CHECKING:
    from tests.unit.api.conftest import Desk

PAGES = ("/home/health", "/home/records", "/home/record/purchases", "/home/import")
FORMS = ("/home/sign-out", "/home/sign-out-everywhere", "/home/record/purchases", "/home/import")


def test_abroad_the_cookie_is_for_this_host_and_https_alone(desk: Desk) -> None:
    """`__Host-`, Secure, HttpOnly, SameSite=Strict, the whole path, no domain, and it ends."""
    operator = Operator(desk, ABROAD)
    (kept, forgotten) = operator.sign_in().headers.getlist("Set-Cookie")
    name, *attributes = kept.split("; ")
    assert name.startswith("__Host-ledger=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert f"Max-Age={int(LONGEST.total_seconds())}" in attributes
    assert not [each for each in attributes if each.startswith("Domain")]
    assert forgotten.startswith("__Host-ledger-form=;")
    assert "The Shop" in operator.see("/home").text
    assert len(kept) < 4096


@pytest.mark.parametrize("base", [LOCAL, "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_on_the_machine_itself_the_cookie_needs_no_tls(desk: Desk, base: str) -> None:
    """At a loopback name over plain http the cookie has another name and is not Secure; all else holds."""
    kept = Operator(desk, base).sign_in().headers.getlist("Set-Cookie")[0]
    assert kept.startswith("ledger-local=")
    assert "Secure" not in kept
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(kept.split("; "))


@pytest.mark.parametrize(
    "base", ["http://ledger.example", "http://localhost.evil.example", "http://127.0.0.1.evil"]
)
def test_elsewhere_plain_http_never_gets_a_plain_cookie(desk: Desk, base: str) -> None:
    """A browser does not keep a Secure cookie that came over plain http, so there is no session."""
    assert "Secure" in Operator(desk, base).sign_in().headers.getlist("Set-Cookie")[0]


def test_signing_in_makes_a_new_token_and_ends_the_one_before(desk: Desk) -> None:
    """Whatever the browser held, a sign-in leaves one session, known by a token nobody has seen."""
    operator = Operator(desk)
    operator.sign_in()
    first = operator.cookie()
    operator.see("/home")
    planted = operator.client.get_cookie("ledger-form-local")
    assert planted is None
    fresh = Operator(desk)
    fresh.client.set_cookie("ledger-local", first)
    page = fresh.see("/home")
    assert "The Shop" in page.text
    fresh.token = ""
    other = Operator(desk)
    other.see("/home")
    other.client.set_cookie("ledger-local", first)
    other.send("/home/sign-in", {"key": desk.key})
    assert other.cookie() not in {"", first}
    assert "API key" in fresh.see("/home").text


def test_a_bad_key_signs_nobody_in(desk: Desk) -> None:
    """The form comes back with 401, the same for an unknown, a wrong and a revoked key, and no cookie of a session."""
    revoked = desk.service.api_keys.issue(
        desk.service.organizations.find("shop"), scopes={Scope.RECORDS_READ}, label="gone"
    )
    desk.service.api_keys.revoke(parse_key(revoked).prefix)
    wrong = desk.key[:-3] + ("AAA" if desk.key[-3:] != "AAA" else "BBB")
    for key in ("", "nonsense", wrong, revoked):
        operator = Operator(desk)
        reply = operator.sign_in(key)
        assert (reply.status_code, operator.cookie()) == (401, "")
        assert "unknown, wrong, expired or revoked" in reply.text


def test_nobody_else_sees_an_operators_page(desk: Desk) -> None:
    """Without a session every page and form of the home is the form that signs in, and nothing may be kept."""
    operator = Operator(desk)
    for path in PAGES:
        reply = operator.see(path)
        assert (reply.status_code, reply.headers["Cache-Control"]) == (401, "no-store")
        assert 'name="key"' in reply.text
    for path in FORMS:
        assert operator.send(path, {"x": "y"}).status_code in {401, 403}


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_token_does_nothing(desk: Desk, path: str) -> None:
    """No token, a wrong one, another session's, or the session's own: refused, and the session goes on."""
    operator, other = Operator(desk), Operator(desk)
    operator.sign_in()
    other.sign_in()
    other.see("/home")
    operator.see("/home")
    for token in ("", "x", other.token, operator.cookie()):
        assert operator.send(path, {"key": desk.key}, token=token).status_code == 403
    assert "The Shop" in operator.see("/home").text


def test_a_form_of_another_site_does_nothing(desk: Desk) -> None:
    """A browser that says another site made it is refused, even with a good token."""
    operator = Operator(desk)
    operator.sign_in()
    operator.see("/home")
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Sec_Fetch_Site": "none"},
                    {"Origin": "https://evil.example"}, {"Origin": "http://localhost:81"}):  # fmt: skip
        assert operator.send("/home/sign-out", None, **headers).status_code == 403
    signing = Operator(desk)
    signing.see("/home")
    assert signing.send("/home/sign-in", {"key": desk.key}, Sec_Fetch_Site="cross-site").status_code == 403
    assert signing.send("/home/sign-in", {"key": desk.key}, token="x" * 43).status_code == 403
    good = operator.send("/home/sign-out", Sec_Fetch_Site="same-origin", Origin="http://localhost")
    assert good.status_code == 303


def test_what_changes_something_is_never_a_get(desk: Desk) -> None:
    """Signing in and out, recording and importing are POSTs; a GET of the same path shows at most a form."""
    operator = Operator(desk)
    operator.sign_in()
    for path in ("/home/sign-in", "/home/sign-out", "/home/sign-out-everywhere"):
        assert operator.see(path).status_code == 405
    assert operator.see(f"/home/record/purchases?token={operator.token}&order_number=x").status_code == 200
    assert "The Shop" in operator.see("/home").text


def test_signing_out_ends_the_session_on_the_server(desk: Desk) -> None:
    """The cookie is taken back, the cache is cleared, and whoever kept the token gets nothing for it."""
    operator = Operator(desk)
    operator.sign_in()
    held = operator.cookie()
    operator.see("/home")
    left = operator.send("/home/sign-out")
    assert left.headers["Clear-Site-Data"] == '"cache"'
    assert operator.cookie() == ""
    operator.client.set_cookie("ledger-local", held)
    assert operator.see("/home/records").status_code == 401


def test_every_page_of_the_home_offers_to_sign_out(desk: Desk) -> None:
    """The way out stands on each of them, and none may be kept by a cache."""
    record = desk.record(purchase("way-out"), name="way-out").headers["Record-Id"]
    operator = Operator(desk)
    operator.sign_in()
    for path in ("/home", *PAGES[1:], f"/home/records/{record}"):
        reply = operator.see(path)
        assert 'action="/home/sign-out"' in reply.text
        assert reply.headers["Cache-Control"] == "no-store"


def test_all_sessions_end_for_who_has_the_key(desk: Desk) -> None:
    """They are listed; ending them takes the key once more, and a screen left open is not enough."""
    first, second = Operator(desk), Operator(desk)
    first.sign_in()
    second.sign_in()
    assert first.see("/home").text.count("last used") >= 2
    assert first.send("/home/sign-out-everywhere", {"key": "alk_x"}).status_code == 401
    assert "The Shop" in second.see("/home").text
    first.see("/home")
    assert first.send("/home/sign-out-everywhere", {"key": desk.key}).status_code == 303
    assert second.see("/home/records").status_code == 401


def test_time_ends_a_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the idle time it is over."""
    operator = Operator(desk)
    operator.sign_in()
    clock = desk.service.clock
    later = clock.now() + IDLE + timedelta(seconds=1)
    monkeypatch.setattr(type(clock), "now", lambda _self: later)
    assert operator.see("/home/records").status_code == 401


def test_a_session_can_do_no_more_than_its_key(desk: Desk) -> None:
    """A key that may only read does not record; one that may not read does not list."""
    shop = desk.service.organizations.find("shop")
    for scope, allowed, refused in (
        (Scope.RECORDS_READ, "/home/records", "/home/import"),
        (Scope.RECORDS_WRITE, "/home/import", "/home/records"),
    ):
        operator = Operator(desk)
        operator.sign_in(desk.service.api_keys.issue(shop, scopes={scope}, label="narrow"))
        assert operator.see(allowed).status_code == 200
        assert operator.see(refused).status_code == 403


def test_another_organizations_record_is_nobodys(desk: Desk) -> None:
    """What is another's and what is not there are one answer."""
    record = desk.record(purchase("theirs"), name="theirs").headers["Record-Id"]
    desk.service.create_organization("neighbour", name="The Neighbour")
    neighbour = desk.service.organizations.find("neighbour")
    operator = Operator(desk)
    operator.sign_in(desk.service.api_keys.issue(neighbour, scopes=set(Scope), label="desk"))
    for path in (f"/home/records/{record}", f"/home/records/{record}/receipt", "/home/records/" + "A" * 22):
        assert operator.see(path).status_code == 404
    assert record not in operator.see("/home/records").text
