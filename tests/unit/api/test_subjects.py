"""Erasing over HTTP: who may, what is answered, and what everybody sees of the erased afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from ledger_service.accounts.scopes import Scope
from ledger_service.log.auditor import audit
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.erasure import check_certificate
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.receipt import parse_receipt
from tests.support.http_ledger import purchase, until
from tests.unit.api.conftest import body_of, problem_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from ledger_service.proofs.erasure import ErasureCertificate
    from tests.unit.api.conftest import Desk


def erase(
    desk: Desk, subject: str, *, name: str, order: object = None, key: str | None = None, org: str = "shop"
) -> TestResponse:
    """Ask for an erasure."""
    return desk.client.post(
        f"/v1/orgs/{org}/subjects/{quote(subject, safe='')}/erase",
        data=json.dumps({"reason": "subject_request"} if order is None else order),
        headers={"Authorization": f"Bearer {key or desk.key}", "Idempotency-Key": name},
        content_type="application/json",
    )


def record(desk: Desk, name: str, buyer: str) -> str:
    """Record a purchase of this buyer and return its id."""
    reply = desk.record(purchase(name, buyer=buyer), name=name)
    assert reply.status_code == 201
    return str(reply.headers["Record-Id"])


def check(desk: Desk, reply: TestResponse) -> ErasureCertificate:
    """The certificate of an answer, under the keys that the service tells."""
    logs = desk.service.logs.logs()
    keys = [desk.service.signers.status_signer(log.origin, 0).vkey for log in logs]
    return check_certificate(reply.data, keys)


def test_the_erased_is_gone_and_proven(desk: Desk) -> None:
    """After an erasure payload and disclosure are gone, the receipt has no opening, and evidence is valid."""
    buyer = "ann smith/äöü"
    made = [record(desk, f"ann-{number}", buyer) for number in range(2)]
    kept = record(desk, "ben-1", "ben")
    reply = erase(desk, buyer, name="erase-ann")
    assert reply.status_code == 201
    found = check(desk, reply)
    assert (found.records, found.org, found.pages, len(found.entries)) == (2, "shop", "overwritten", 1)
    for each in made:
        gone = desk.get(f"/v1/records/{each}/payload", key=desk.key)
        assert (gone.status_code, problem_of(gone)["code"]) == (410, "payload_missing")
        gone = desk.get(f"/v1/records/{each}/evidence?fields=all", key=desk.key)
        assert (gone.status_code, problem_of(gone)["code"]) == (410, "payload_missing")
        receipt = desk.get(f"/v1/records/{each}/receipt", key=desk.key)
        assert parse_receipt(receipt.data).opening is None
        evidence = desk.get(f"/v1/records/{each}/evidence").data
        assert desk.service.judge.judge(evidence).result == "valid"
    assert body_of(desk.get(f"/v1/records/{kept}/payload", key=desk.key))["buyer"] == "ben"
    retry = desk.record(purchase("ann-0", buyer=buyer), name="ann-0")
    assert (retry.status_code, parse_receipt(retry.data).opening) == (200, None)


def test_the_certificate_points_at_the_log(desk: Desk) -> None:
    """What the certificate names as the erasure's entry is there, is an erasure, and is itself proven."""
    record(desk, "carl-1", "carl")
    found = check(desk, erase(desk, "carl", name="erase-carl"))
    (pointer,) = found.entries

    def look() -> bytes | None:
        with desk.service.logs.view(pointer.log) as view:
            return view.entry(pointer.index) if view.size > pointer.index else None

    entry = until(look)
    assert leaf_hash(entry) == pointer.leaf
    claim = parse_entry(entry).claim
    assert (claim.kind, claim.public) == ("erasure/v1", {"reason": "subject_request"})
    evidence = desk.get(f"/v1/records/{claim.id}/evidence").data
    assert desk.service.judge.judge(evidence).result == "valid"
    report = audit(desk.service.database, keyring=desk.service.keyring, kinds=desk.service.kinds.all())
    assert report.findings == []


def test_asked_again_it_answers_the_same(desk: Desk) -> None:
    """The same key and request get the same certificate; another reason or subject under it is refused."""
    for buyer in ("dora", "emil"):
        record(desk, f"{buyer}-1", buyer)
    first = erase(desk, "dora", name="erase-dora")
    again = erase(desk, "dora", name="erase-dora")
    assert (first.status_code, again.status_code, first.data) == (201, 200, again.data)
    for subject, order in (("emil", {"reason": "subject_request"}), ("dora", {"reason": "objection"})):
        refused = erase(desk, subject, name="erase-dora", order=order)
        assert (refused.status_code, problem_of(refused)["code"]) == (422, "idempotency_conflict")


def test_every_log_that_holds_the_subject_gets_an_entry(desk: Desk) -> None:
    """Who bought and completed a course is erased in both logs, and both sign."""
    completion = dict(desk.service.kinds.get("completion/v1").example)
    assert desk.record(completion | {"learner": "finn"}, name="finn-c", word="completions").status_code == 201
    record(desk, "finn-1", "finn")
    found = check(desk, erase(desk, "finn", name="erase-finn"))
    assert [each.log.rsplit("/", 1)[1] for each in found.entries] == ["completions", "purchases"]
    assert (found.records, len(found.signatures)) == (2, 2)


@pytest.mark.parametrize(
    ("order", "status"),
    [({}, 422), ({"reason": "Ann asked"}, 422), ({"reason": None}, 422), ([], 422),
     ({"reason": "objection", "name": "Ann"}, 422)],
)  # fmt: skip
def test_an_order_without_a_listed_reason_is_refused(desk: Desk, order: object, status: int) -> None:
    """Only a reason of the list is taken, since it becomes public, and nothing beside it."""
    reply = erase(desk, "anybody", name="refused", order=order)
    assert (reply.status_code, problem_of(reply)["code"]) == (status, "invalid_payload")
    assert b"Ann" not in reply.data


def test_who_may_not_erase_learns_nothing(desk: Desk) -> None:
    """Another scope, another organization and an unknown subject are refused, and nothing is erased."""
    made = record(desk, "gina-1", "gina")
    shop = desk.service.organizations.find("shop")
    writer = desk.service.api_keys.issue(shop, scopes={Scope.RECORDS_WRITE}, label="writer")
    wanted = {"key": (writer, "shop", 403, "scope_missing"), "org": (desk.key, "rival", 404, "not_found")}
    for name, (key, org, status, code) in wanted.items():
        reply = erase(desk, "gina", name=name, key=key, org=org)
        assert (reply.status_code, problem_of(reply)["code"]) == (status, code)
    reply = erase(desk, "nobody", name="nobody")
    assert (reply.status_code, problem_of(reply)["code"]) == (404, "unknown_subject")
    payload: Any = body_of(desk.get(f"/v1/records/{made}/payload", key=desk.key))
    assert payload["buyer"] == "gina"


def test_a_long_reader_keeps_old_pages_and_the_certificate_says_so(desk: Desk) -> None:
    """While a snapshot from before is read the answer comes in time, as pending; asked later, as overwritten."""
    record(desk, "hugo-1", "hugo")
    desk.service.erasures._bound_s = 0.2
    with desk.service.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM records").scalar_one()
        assert check(desk, erase(desk, "hugo", name="erase-hugo")).pages == "pending"
    assert until(lambda: check(desk, erase(desk, "hugo", name="erase-hugo")).pages == "overwritten")
