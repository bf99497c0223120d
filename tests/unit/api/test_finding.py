"""Finding over HTTP: filters read strictly, pages that join, and nothing for anybody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger_service.accounts.scopes import Scope
from tests.support.http_ledger import purchase
from tests.unit.api.conftest import body_of, problem_of

if TYPE_CHECKING:
    from tests.unit.api.conftest import Desk

PATH = "/v1/orgs/shop/records"


def test_an_organization_finds_its_record_by_its_own_number(desk: Desk) -> None:
    """The order number finds the record; the answer has what the record's own page says, and nothing private."""
    made = desk.record(purchase("find-me"), name="find-me")
    reply = desk.get(f"{PATH}?ref=find-me&kind=purchase/v1&status=active", key=desk.key)
    (found,) = body_of(reply)["records"]
    state = body_of(desk.get(f"/v1/records/{made.headers['Record-Id']}"))
    assert found == {name: state[name] for name in found}
    assert b"find-me" not in reply.data
    assert reply.headers["Cache-Control"] == "no-store"


def test_pages_join(desk: Desk) -> None:
    """Following the cursor gives every record once, newest first."""
    for number in range(5):
        desk.record(purchase(f"page-{number}"), name=f"page-{number}")
    whole = body_of(desk.get(PATH, key=desk.key))["records"]
    page = body_of(desk.get(f"{PATH}?limit=2", key=desk.key))
    walked = page["records"]
    while page["cursor"] is not None:
        page = body_of(desk.get(f"{PATH}?limit=2&cursor={page['cursor']}", key=desk.key))
        walked += page["records"]
    assert [each["id"] for each in walked] == [each["id"] for each in whole]
    assert [each["accepted"] for each in whole] == sorted((e["accepted"] for e in whole), reverse=True)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_request"),
        ("limit=1001", "bad_request"),
        ("limit=1e2", "bad_request"),
        ("stage=done", "bad_request"),
        ("status=gone", "bad_request"),
        ("from=yesterday", "bad_request"),
        ("to=2026-11-22", "bad_request"),
        ("ref=", "bad_request"),
        (f"ref={'x' * 257}", "bad_request"),
        ("cursor=nonsense", "bad_request"),
        ("kind=nonsense", "unknown_kind"),
        ("limit=1&limit=1", "duplicate_parameter"),
    ],
)
def test_filters_are_read_strictly(desk: Desk, query: str, code: str) -> None:
    """A filter that cannot be meant is refused, never left out."""
    assert problem_of(desk.get(f"{PATH}?{query}", key=desk.key))["code"] == code


def test_nobody_else_learns_anything(desk: Desk) -> None:
    """Without a key 401; for another organization what is there and what is not are one answer."""
    made = desk.record(purchase("secret"), name="secret").headers["Record-Id"]
    desk.service.create_organization("rival", name="The Rival")
    rival = desk.service.api_keys.issue(
        desk.service.organizations.find("rival"), scopes=set(Scope), label="test"
    )
    assert desk.get(PATH).status_code == 401
    answers = [
        desk.get(f"/v1/orgs/{path}", key=rival)
        for path in ("shop/records", "nobody/records", "shop/records?ref=secret", "shop/records?limit=0")
    ]
    assert {(each.status_code, each.data) for each in answers} == {(404, answers[0].data)}
    foreign = desk.get(f"/v1/orgs/rival/records?cursor={made}", key=rival)
    forged = desk.get(f"/v1/orgs/rival/records?cursor={'A' * 22}", key=rival)
    assert (foreign.status_code, foreign.data) == (400, forged.data)
    assert json.loads(desk.get("/v1/orgs/rival/records", key=rival).data) == {"records": [], "cursor": None}
