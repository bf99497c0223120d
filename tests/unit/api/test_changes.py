"""Refunds, status changes, corrections and new versions over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.accounts.scopes import Scope
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.refunds import EXAMPLE_REFUND
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.receipt import parse_receipt
from tests.support.http_ledger import purchase
from tests.unit.api.conftest import body_of, problem_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

REVOKED = {"state": "revoked", "reason": "requirements_not_met"}


def record(desk: Desk, payload: Any, *, name: str, word: str) -> str:
    """Record something and give its id."""
    reply = desk.record(payload, name=name, word=word)
    assert reply.status_code == 201, reply.data
    return reply.headers["Record-Id"]


def correct(desk: Desk, record_id: str, replacement: Any, *, name: str) -> TestResponse:
    """Correct a record."""
    body = {"reason": "entered_in_error", "replacement": replacement}
    return desk.post(f"/v1/records/{record_id}/correction", body, name=name)


def test_a_refund_is_recorded_one_by_one_and_in_bulk(desk: Desk) -> None:
    """Rows of a stream are held against the purchase like single refunds, also rows of the same stream."""
    bought = record(desk, purchase("r-1"), name="r-1", word="purchases")
    part = {**EXAMPLE_REFUND, "purchase": bought, "amount_minor": 2000}
    first = desk.record(part, name="r-1-a", word="refunds")
    assert first.status_code == 201
    assert parse_receipt(first.data).opening is not None
    again = desk.record(part, name="r-1-a", word="refunds")
    assert (again.status_code, again.data) == (200, first.data)
    rows = [part, part, {**part, "amount_minor": 500}, {**part, "purchase": "A" * 22}]
    for statuses in ([201, 422, 201, 404], [200, 409, 200, 404]):
        reply = desk.client.post(
            "/v1/orgs/shop/refunds/bulk",
            data="\n".join(json.dumps(row) for row in rows),
            headers={"Authorization": f"Bearer {desk.key}", "Idempotency-Key": "r-1-bulk"},
            content_type="application/x-ndjson",
        )
        assert [json.loads(line)["status"] for line in reply.data.splitlines()] == statuses


def test_a_status_is_changed_once(desk: Desk) -> None:
    """A revocation answers with its own receipt, the same again under the same key, and is final."""
    passed = record(desk, EXAMPLE_COMPLETION, name="s-1", word="completions")
    path = f"/v1/records/{passed}/status"
    done = desk.post(path, REVOKED, name="s-1-r")
    assert done.status_code == 201
    claim = parse_entry(parse_receipt(done.data).entry).claim
    assert (claim.kind, claim.log) == ("status/v1", "ledger.test/logs/shop/completions")
    again = desk.post(path, REVOKED, name="s-1-r")
    assert (again.status_code, again.data) == (200, done.data)
    refused = desk.post(path, {**REVOKED, "state": "active"}, name="s-1-a")
    assert (refused.status_code, problem_of(refused)["code"]) == (409, "state_conflict")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "revoked"},
        {**REVOKED, "reason": "because"},
        {**REVOKED, "state": "refunded"},
        {**REVOKED, "record": "A" * 22},
        {**REVOKED, "since": "2999-01-01T00:00:00Z"},
        {**REVOKED, "note": "x"},
    ],
    ids=str,
)
def test_a_status_that_cannot_be_is_refused(desk: Desk, body: Any) -> None:
    """A body with anything missing, unknown or out of its list changes nothing."""
    passed = desk.record(EXAMPLE_COMPLETION, name="s-2", word="completions").headers["Record-Id"]
    refused = desk.post(f"/v1/records/{passed}/status", body, name="s-2-r")
    assert (refused.status_code, problem_of(refused)["code"]) == (422, "invalid_payload")


def test_a_purchase_has_no_status_of_its_own(desk: Desk) -> None:
    """Only refunds and corrections change a purchase."""
    bought = record(desk, purchase("s-3"), name="s-3", word="purchases")
    refused = desk.post(f"/v1/records/{bought}/status", REVOKED, name="s-3-r")
    assert (refused.status_code, problem_of(refused)["code"]) == (422, "bad_target")


def test_a_correction_gives_the_receipt_of_the_right_record(desk: Desk) -> None:
    """The replacement is recorded, points back, and can itself be corrected; the wrong record cannot any more."""
    wrong = record(desk, EXAMPLE_COMPLETION, name="c-1", word="completions")
    done = correct(desk, wrong, {**EXAMPLE_COMPLETION, "score": 68}, name="c-1-c")
    assert done.status_code == 201
    receipt = parse_receipt(done.data)
    claim = parse_entry(receipt.entry).claim
    assert receipt.opening is not None
    assert receipt.opening.values["score"] == 68
    assert claim.previous is not None
    assert correct(desk, wrong, {**EXAMPLE_COMPLETION, "score": 68}, name="c-1-c").data == done.data
    assert correct(desk, wrong, EXAMPLE_COMPLETION, name="c-1-d").status_code == 409
    assert correct(desk, done.headers["Record-Id"], EXAMPLE_COMPLETION, name="c-1-e").status_code == 201


def test_a_correction_brings_a_payload_of_the_same_kind(desk: Desk) -> None:
    """Anything else is refused, and so is a record that is itself about another."""
    wrong = record(desk, EXAMPLE_DATASET, name="c-2", word="datasets")
    replacements: list[Any] = [EXAMPLE_COMPLETION, None, [], {**EXAMPLE_DATASET, "supersedes": wrong}]
    for replacement in replacements:
        assert correct(desk, wrong, replacement, name="c-2-c").status_code == 422
    passed = record(desk, EXAMPLE_COMPLETION, name="c-3", word="completions")
    change = desk.post(f"/v1/records/{passed}/status", REVOKED, name="c-3-r").headers["Record-Id"]
    assert correct(desk, change, {"record": passed, **REVOKED}, name="c-3-c").status_code == 422


def test_a_new_version_supersedes_the_one_before(desk: Desk) -> None:
    """It points at the old record as its previous one; the old one takes no second successor and no withdrawal."""
    old = record(desk, EXAMPLE_DATASET, name="d-1", word="datasets")
    new = desk.record({**EXAMPLE_DATASET, "supersedes": old}, name="d-2", word="datasets")
    assert new.status_code == 201
    claim = parse_entry(parse_receipt(new.data).entry).claim
    assert claim.target is None
    assert claim.previous is not None
    assert "supersedes" not in body_of(desk.get(f"/v1/records/{claim.id}/payload", key=desk.key))
    second = desk.record({**EXAMPLE_DATASET, "supersedes": old}, name="d-3", word="datasets")
    assert (second.status_code, problem_of(second)["code"]) == (409, "state_conflict")
    withdrawn = {"state": "withdrawn", "reason": "legal"}
    assert desk.post(f"/v1/records/{old}/status", withdrawn, name="d-4").status_code == 409
    assert desk.post(f"/v1/records/{claim.id}/status", withdrawn, name="d-5").status_code == 201


def test_only_the_own_organization_changes_a_record(desk: Desk) -> None:
    """To another's key a record does not exist, whatever it is asked; without the scope nothing is changed."""
    passed = record(desk, EXAMPLE_COMPLETION, name="o-1", word="completions")
    service = desk.service
    service.create_organization("rival", name="The Rival")
    rival = service.api_keys.issue(service.organizations.find("rival"), scopes=set(Scope), label="r")
    reader = service.api_keys.issue(
        service.organizations.find("shop"), scopes={Scope.RECORDS_READ}, label="r"
    )
    for path, body in (
        ("status", REVOKED),
        ("correction", {"reason": "replaced", "replacement": EXAMPLE_COMPLETION}),
    ):
        answers = []
        for record_id in (passed, "A" * 22, "nonsense"):
            reply = desk.client.post(
                f"/v1/records/{record_id}/{path}",
                data=json.dumps(body),
                headers={"Authorization": f"Bearer {rival}", "Idempotency-Key": "o-1-x"},
                content_type="application/json",
            )
            answers.append((reply.status_code, reply.data))
        assert answers == [answers[0]] * 3
        assert answers[0][0] == 404
        reply = desk.client.post(
            f"/v1/records/{passed}/{path}",
            data=json.dumps(body),
            headers={"Authorization": f"Bearer {reader}", "Idempotency-Key": "o-1-x"},
            content_type="application/json",
        )
        assert (reply.status_code, problem_of(reply)["code"]) == (403, "scope_missing")
