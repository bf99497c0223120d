"""Limits: who is charged for what, and that nobody is charged for another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api.limits import address_of
from ledger_service.accounts.scopes import Scope
from tests.support.http_ledger import purchase
from tests.unit.api.conftest import Desk, problem_of, resting_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

SMALL = {
    "LIMIT_WRITES": "3",
    "LIMIT_READS": "4",
    "LIMIT_VERIFICATIONS": "2",
    "LIMIT_ANONYMOUS": "5",
    "LIMIT_FAILED_KEYS": "2",
}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Desk]:
    """A service with small budgets."""
    with resting_desk(tmp_path, **SMALL) as desk:
        yield desk


def ask(
    desk: Desk,
    path: str = "/v1/logs",
    *,
    address: str = "192.0.2.1",
    key: str | None = None,
    method: str = "GET",
    **headers: str,
) -> TestResponse:
    """One request from an address."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    if key is not None:
        named["Authorization"] = f"Bearer {key}"
    return desk.client.open(path, method=method, headers=named, environ_overrides={"REMOTE_ADDR": address})


def check_refused(reply: TestResponse, budget: str, per_minute: int) -> None:
    """A problem 429 that names the budget and when to come back."""
    problem = problem_of(reply)
    assert (reply.status_code, problem["code"], problem["errors"]["budget"]) == (429, "rate_limited", budget)
    wait_s = int(reply.headers["Retry-After"])
    assert 1 <= wait_s <= 60
    assert reply.headers["RateLimit-Policy"] == f'"{budget}";q={per_minute};w=60'
    assert reply.headers["RateLimit"] == f'"{budget}";r=0;t={wait_s}'


def new_key(desk: Desk) -> str:
    """Another key of the shop."""
    shop = desk.service.organizations.find("shop")
    return desk.service.api_keys.issue(shop, scopes=set(Scope), label="another")


def test_writes_reads_and_verifications_are_counted_apart(small: Desk) -> None:
    """A key that has spent one budget has the others left, and another key has all of its own."""
    for _ in range(3):
        assert small.record(purchase("x"), name="x").status_code == 503  # it does not sign
    check_refused(small.record(purchase("x"), name="x"), "writes", 3)
    for _ in range(4):
        assert ask(small, key=small.key).status_code == 200
    check_refused(ask(small, key=small.key), "reads", 4)
    verify = {"data": b"{}", "content_type": "application/json"}
    headers = {"Authorization": f"Bearer {small.key}"}
    for _ in range(2):
        assert small.client.post("/v1/verify", headers=headers, **verify).status_code == 200
    check_refused(small.client.post("/v1/verify", headers=headers, **verify), "verifications", 2)
    assert ask(small, key=new_key(small)).status_code == 200


def test_a_write_is_refused_before_its_body_is_read(small: Desk) -> None:
    """With nothing left, a body that is no JSON, too large or of another type is not even looked at."""
    for _ in range(3):
        small.record(purchase("x"), name="x")
    headers = {"Authorization": f"Bearer {small.key}"}
    for path in ("purchases", "purchases/bulk"):
        reply = small.client.post(f"/v1/orgs/shop/{path}", data=b"x" * 10, headers=headers)
        check_refused(reply, "writes", 3)


def test_a_stream_counts_once(small: Desk) -> None:
    """However many rows a stream has, it is one write."""
    rows = b"\n".join(json.dumps(purchase(number)).encode() for number in range(50))
    headers = {"Authorization": f"Bearer {small.key}", "Idempotency-Key": "stream"}
    for _ in range(3):
        path = "/v1/orgs/shop/purchases/bulk?dry_run=true"
        reply = small.client.post(path, data=rows, headers=headers, content_type="application/x-ndjson")
        assert reply.status_code != 429
    check_refused(small.record(purchase("x"), name="x"), "writes", 3)


def test_without_a_key_the_address_is_charged(small: Desk) -> None:
    """Every path counts, also those that do not exist; being alive is told without counting."""
    for path in ("/v1/logs", "/nothing", "/v1/records/x", "/readyz", "/v1/orgs/shop/records"):
        assert ask(small, path).status_code != 429
    check_refused(ask(small), "anonymous", 5)
    check_refused(ask(small, "/nothing"), "anonymous", 5)
    assert ask(small, address="192.0.2.2").status_code == 200
    assert ask(small, key=small.key).status_code == 200
    for _ in range(20):
        assert ask(small, "/healthz").status_code == 200


def test_another_scheme_is_no_key(small: Desk) -> None:
    """What a proxy's own password sends along neither opens nor closes anything here."""
    assert ask(small, Authorization="Basic YTpi").status_code == 200
    assert ask(small, "/v1/orgs/shop/records", Authorization="Basic YTpi").status_code == 401


def test_bad_keys_are_refused_everywhere_and_have_a_small_budget(small: Desk) -> None:
    """A bad key is a 401 on public paths as well; after a few of them nothing from there is looked at."""
    for path in ("/v1/logs", "/nothing"):
        assert problem_of(ask(small, path, key="nonsense"))["code"] == "unauthenticated"
    check_refused(ask(small, key="nonsense"), "failed_keys", 2)
    assert ask(small, key="nonsense", address="192.0.2.2").status_code == 401
    assert ask(small).status_code == 200


def test_guessing_tells_nothing_once_the_budget_is_spent(small: Desk) -> None:
    """A right key that was never used here and a wrong one get the same refusal, byte for byte."""
    fresh = new_key(small)
    wrong = fresh[:-1] + ("A" if fresh[-1] != "A" else "Q")
    for _ in range(2):
        ask(small, key="nonsense")
    right, missed, nonsense = (ask(small, key=key) for key in (fresh, wrong, "nonsense"))
    assert right.status_code == 429
    assert right.data == missed.data == nonsense.data
    assert set(right.headers.keys()) == set(missed.headers.keys()) == set(nonsense.headers.keys())


def test_a_neighbours_guesses_lock_nobody_out(small: Desk) -> None:
    """A key that worked before goes on working from an address that has spent its failures."""
    assert ask(small, key=small.key).status_code == 200
    for _ in range(10):
        ask(small, key="nonsense")
    assert ask(small, key=small.key).status_code == 200
    assert ask(small, key="nonsense").status_code == 429


def test_a_revoked_key_is_forgotten(small: Desk) -> None:
    """A key that was good and is revoked counts as a guess like any other."""
    key = new_key(small)
    assert ask(small, key=key).status_code == 200
    small.service.api_keys.revoke(key.split("_")[1])
    assert [ask(small, key=key).status_code for _ in range(3)] == [401, 401, 429]


def test_a_forwarded_address_is_not_believed_by_default(small: Desk) -> None:
    """Nobody gets a new budget, or spends another's, by writing a header."""
    for number in range(5):
        headers = {"X_Forwarded_For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
        assert ask(small, X_Real_IP=f"198.51.100.{number}", **headers).status_code == 200
    check_refused(ask(small, X_Forwarded_For="198.51.100.9"), "anonymous", 5)
    assert ask(small, address="198.51.100.1").status_code == 200


def test_as_many_proxies_are_believed_as_there_are(tmp_path: Path) -> None:
    """Behind two proxies the address is the last but one; what stands before it is the caller's own invention."""
    with resting_desk(tmp_path, **SMALL, TRUSTED_PROXIES="2") as desk:
        for number in range(5):
            forged = f"203.0.113.{number}, 198.51.100.7, 10.0.0.1"
            assert ask(desk, X_Forwarded_For=forged).status_code == 200
        check_refused(ask(desk, X_Forwarded_For="198.51.100.7, 10.0.0.1"), "anonymous", 5)
        assert ask(desk, X_Forwarded_For="198.51.100.8, 10.0.0.1").status_code == 200
        # Who comes past the outer proxy has fewer addresses in the header, and is the one that is seen.
        for _ in range(5):
            assert ask(desk, X_Forwarded_For="198.51.100.7").status_code == 200
        check_refused(ask(desk, X_Forwarded_For="198.51.100.9"), "anonymous", 5)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("", ""),
        (None, ""),
        ("x" * 500, "x" * 64),
    ],
)
def test_an_address_stands_for_whoever_has_it(text: str | None, address: str) -> None:
    """All addresses of one IPv6 network are one caller, and an IPv4 address is the same in either form."""
    assert address_of(text) == address


def test_https_is_insisted_on_only_where_it_is_configured(tmp_path: Path, small: Desk) -> None:
    """Without the setting nobody is told to come back by https, whatever headers say."""
    reply = ask(small, X_Forwarded_Proto="https")
    assert "Strict-Transport-Security" not in reply.headers
    apart = tmp_path / "https"
    apart.mkdir()
    with resting_desk(apart, HSTS_DAYS="2") as desk:
        assert ask(desk).headers["Strict-Transport-Security"] == "max-age=172800; includeSubDomains"
