"""Routes where the service does not sign, and what needs no server of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ledger_service.proofs.receipt import parse_receipt
from tests.support.http_ledger import purchase
from tests.unit.api.conftest import body_of, problem_of

if TYPE_CHECKING:
    import pytest

    from tests.unit.api.conftest import Desk


def test_a_service_that_does_not_sign_takes_no_writes(resting: Desk) -> None:
    """Writes are refused with the reason and when to come back; reads and health go on."""
    refused = resting.record(purchase("x"), name="x")
    assert (refused.status_code, problem_of(refused)["code"]) == (503, "not_ready")
    assert refused.headers["Retry-After"] == "1"
    ready = resting.get("/readyz")
    assert (ready.status_code, body_of(ready)["ready"]) == (503, False)
    assert body_of(ready)["reasons"]
    assert body_of(resting.get("/healthz")) == {"alive": True}
    assert resting.get("/v1/logs").status_code == 200


def test_a_log_that_was_never_signed_has_no_checkpoint(resting: Desk) -> None:
    """Before its first checkpoint a log is listed with size 0 and serves nothing below it."""
    assert body_of(resting.get("/v1/logs/shop/purchases"))["size"] == 0
    for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"):
        assert resting.get(f"/logs/shop/purchases/{path}").status_code == 404
    assert resting.get("/logs/shop/purchases/vkeys").data.count(b"\n") == 3


def test_a_defect_is_answered_as_one(resting: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody thought of is a problem with no more than its code, and its trace is in the log only."""
    monkeypatch.setattr(type(resting.service.logs), "logs", lambda _self: 1 // 0)
    reply = resting.get("/v1/logs")
    assert reply.status_code == 500
    assert problem_of(reply)["code"] == "internal_error"
    assert b"division" not in reply.data


def test_a_purchase_is_recorded_without_a_chain(desk: Desk) -> None:
    """The whole write path works while no chain answers."""
    reply = desk.record(purchase("chainless"), name="chainless")
    assert reply.status_code == 201
    assert parse_receipt(reply.data).opening is not None
    record = reply.headers["Record-Id"]
    assert body_of(desk.get(f"/v1/records/{record}"))["stage"] == "published"
    verdict = desk.client.post(
        "/v1/verify", data=json.dumps({"record": record}), content_type="application/json"
    )
    assert body_of(verdict)["result"] == "valid"
    assert body_of(verdict)["steps"][5]["outcome"] == "could not check"


def test_evidence_before_and_after_disclosure(desk: Desk) -> None:
    """Anyone gets the evidence without contents, even with a key of nobody refused; the owner discloses."""
    record = desk.record(purchase("disclosed"), name="disclosed").headers["Record-Id"]
    assert body_of(desk.get(f"/v1/records/{record}/evidence"))["fields"] is None
    assert desk.get(f"/v1/records/{record}/evidence", key="nonsense").status_code == 401
    shown = body_of(desk.get(f"/v1/records/{record}/evidence?fields=all", key=desk.key))["fields"]
    assert [item[1] for item in shown] == sorted({*purchase("x"), "adjustment_minor"})
    for query in ("fields=", "fields=,", "fields=amount_minor,,"):
        assert desk.get(f"/v1/records/{record}/evidence?{query}", key=desk.key).status_code == 400


def test_the_opening_of_the_log_is_a_record_too(desk: Desk) -> None:
    """Entry 0 has evidence like every record, and nothing private in it."""
    desk.record(purchase("opening"), name="opening")
    with desk.service.logs.view("ledger.test/logs/shop/purchases") as view:
        entry = json.loads(view.entry(0))
    record = entry["claim"]["id"]
    assert body_of(desk.get(f"/v1/records/{record}"))["kind"] == "opening/v1"
    assert body_of(desk.get(f"/v1/records/{record}/payload", key=desk.key)) == {}
    verdict = desk.client.post(
        "/v1/verify", data=json.dumps({"record": record}), content_type="application/json"
    )
    assert body_of(verdict)["result"] == "valid"


def test_times_of_a_question_are_read_strictly(desk: Desk) -> None:
    """`at` and `known_at` take one form of time."""
    asked = {"data": b"{}", "content_type": "application/json"}
    for query in ("at=yesterday", "known_at=2026-11-22", "at=2026-11-22T01:02:03%2B00:00"):
        assert desk.client.post(f"/v1/verify?{query}", **asked).status_code == 400
    assert desk.client.post("/v1/verify?at=2026-11-22T01:02:03Z", **asked).status_code == 200
