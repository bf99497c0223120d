"""What a session may do on the operator's pages: what its key may, for its own organization, and nothing else."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.accounts.scopes import Scope
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from tests.support.authorization_matrix import heard_statements
from tests.support.http_ledger import purchase
from tests.support.two_organizations import look
from tests.unit.api.home import Operator, wait_for

if TYPE_CHECKING:
    from tests.unit.api.conftest import Desk

# The scope that each page needs; None where a session is enough, or none yet.
NEEDS: dict[tuple[str, str], Scope | None] = {
    ("GET", "/home"): None,
    ("GET", "/home/health"): None,
    ("POST", "/home/sign-in"): None,
    ("POST", "/home/sign-out"): None,
    ("POST", "/home/sign-out-everywhere"): None,
    ("GET", "/home/records"): Scope.RECORDS_READ,
    ("GET", "/home/records/<record_id>"): Scope.RECORDS_READ,
    ("GET", "/home/records/<record_id>/receipt"): Scope.RECORDS_READ,
    ("GET", "/home/record/<word>"): Scope.RECORDS_WRITE,
    ("POST", "/home/record/<word>"): Scope.RECORDS_WRITE,
    ("GET", "/home/import"): Scope.RECORDS_WRITE,
    ("POST", "/home/import"): Scope.RECORDS_WRITE,
}
FORMS: dict[str, dict[str, Any]] = {
    "/home/record/<word>": {**EXAMPLE_COMPLETION, "once": "x" * 22},
    "/home/import": {"kind": "purchases", "action": "check"},
}


def issue(desk: Desk, *scopes: Scope, slug: str = "shop") -> str:
    """A key of an organization."""
    org = desk.service.organizations.find(slug)
    return desk.service.api_keys.issue(org, scopes=set(scopes), label="page")


@pytest.fixture(scope="module")
def record(desk: Desk) -> str:
    """A record of the shop's."""
    made = desk.record(purchase("scoped"), name="scoped").headers["Record-Id"]
    wait_for(desk, made)
    return made


def test_every_page_of_the_home_is_known_here(desk: Desk) -> None:
    """A new page must say which scope it needs."""
    served = {
        (method, rule.rule)
        for rule in desk.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/home")
    }
    assert served == NEEDS.keys()


@pytest.mark.parametrize(("method", "rule"), [each for each, scope in NEEDS.items() if scope], ids=str)
def test_a_page_takes_its_own_scope_and_no_other(desk: Desk, record: str, method: str, rule: str) -> None:
    """A session whose key has every scope but the page's is refused and nothing is recorded; with just it, not."""
    scope = NEEDS[method, rule]
    assert scope is not None
    path = rule.replace("<record_id>", record).replace("<word>", "completions")
    refused, taken = Operator(desk), Operator(desk)
    refused.sign_in(issue(desk, *({*Scope} - {scope})))
    taken.sign_in(issue(desk, scope))
    before = look(desk.service, tables=("records", "idempotency_keys"))
    for operator, expected in ((refused, {403}), (taken, {200, 303})):
        operator.see("/home")
        if method == "GET":
            reply = operator.see(path)
        else:
            form = dict(FORMS[rule])
            if rule == "/home/import":
                form["file"] = (BytesIO(b"nothing\r\n"), "rows.csv")
            reply = operator.send(path, form)
        assert reply.status_code in expected, f"{method} {rule}: {reply.status_code}"
        if operator is refused:
            assert look(desk.service, tables=("records", "idempotency_keys")) == before


def test_all_sessions_end_only_by_the_keys_own_text(desk: Desk) -> None:
    """Another good key of the same organization does not end the sessions of this one."""
    operator = Operator(desk)
    operator.sign_in(issue(desk, Scope.RECORDS_READ))
    operator.see("/home")
    assert operator.send("/home/sign-out-everywhere", {"key": desk.key}).status_code == 401
    assert operator.see("/home/health").status_code == 200


def test_a_home_asks_for_nothing_of_other_organizations(desk: Desk) -> None:
    """With another organization's logs beside, the home shows and reads what it did before."""
    operator = Operator(desk)
    operator.sign_in()

    def seen() -> tuple[list[str], str]:
        with heard_statements() as statements:
            text = operator.see("/home").text
        asked = [each for each in statements if re.search(r"FROM (?:anchors|log_heads|outbox)", each)]
        return asked, text

    before, _ = seen()
    desk.service.create_organization("rival", name="The Rival")
    after, text = seen()
    assert after == before
    assert "The Shop" in text
    assert "rival" not in text.lower()
    stranger = Operator(desk)
    stranger.sign_in(issue(desk, *Scope, slug="rival"))
    text = stranger.see("/home").text
    assert "/logs/rival/" in text
    assert "The Rival" in text
    assert "shop" not in text.lower()
