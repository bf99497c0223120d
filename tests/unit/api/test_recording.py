"""Recording each kind, one by one and as a stream, and its verdict while no contract holds its log."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.receipt import parse_receipt
from ledger_service.wiring.kinds import KINDS
from tests.unit.api.conftest import body_of, problem_of

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind
    from tests.unit.api.conftest import Desk

STANDING_ALONE = [KINDS.get(name) for name in ("purchase/v1", "completion/v1", "dataset/v1")]


def verdict_of(desk: Desk, question: bytes) -> Any:
    """The server's verdict on evidence or a question."""
    return body_of(desk.client.post("/v1/verify", data=question, content_type="application/json"))


@pytest.mark.parametrize("kind", STANDING_ALONE, ids=str)
def test_each_kind_is_recorded_and_proven(desk: Desk, kind: Kind) -> None:
    """A record of each kind is in its collection's log, sealed, repeatable, and genuine once it is shown."""
    assert kind.word is not None
    reply = desk.record(kind.example, name=f"one-{kind.name}", word=kind.word)
    assert reply.status_code == 201
    assert parse_receipt(reply.data).opening is not None
    again = desk.record(kind.example, name=f"one-{kind.name}", word=kind.word)
    assert (again.status_code, again.data) == (200, reply.data)
    record = reply.headers["Record-Id"]
    state = body_of(desk.get(f"/v1/records/{record}"))
    assert (state["kind"], state["stage"], state["status"]) == (kind.name, "published", "active")
    assert state["log"] == f"ledger.test/logs/shop/{kind.collection}"
    assert body_of(desk.get(f"/v1/records/{record}/payload", key=desk.key)) == kind.example
    shown = desk.get(f"/v1/records/{record}/evidence?fields=all", key=desk.key).data
    assert verdict_of(desk, shown)["result"] == "valid"


@pytest.mark.parametrize("kind", STANDING_ALONE, ids=str)
def test_each_kind_is_recorded_in_bulk(desk: Desk, kind: Kind) -> None:
    """Good rows of a stream are recorded, a bad one is answered in its place."""
    rows = [dict(kind.example), dict(kind.example) | {"colour": "red"}, dict(kind.example)]
    headers = {"Authorization": f"Bearer {desk.key}", "Idempotency-Key": f"bulk-{kind.name}"}
    reply = desk.client.post(
        f"/v1/orgs/shop/{kind.word}/bulk",
        data="\n".join(json.dumps(row) for row in rows),
        headers=headers,
        content_type="application/x-ndjson",
    )
    answers = [json.loads(line) for line in reply.data.splitlines()]
    assert [answer["status"] for answer in answers] == [201, 422, 201]
    assert {answers[0]["log"], answers[2]["log"]} == {f"ledger.test/logs/shop/{kind.collection}"}


def test_published_digests_stand_in_the_entry(desk: Desk) -> None:
    """A digest is nowhere in the entry unless its publication was asked for."""
    digest = encode_base64url(sha256(b"a file").digest())
    example = dict(KINDS.get("dataset/v1").example) | {"file_sha256": digest}
    for choice in (False, True):
        reply = desk.record(example | {"publish_digest": choice}, name=f"digest-{choice}", word="datasets")
        assert (digest.encode() in parse_receipt(reply.data).entry) == choice


def test_what_no_kind_has_is_not_there(desk: Desk) -> None:
    """A word that no kind is recorded under, and a kind that is never recorded by itself, are not found."""
    for word in ("opening", "status", "corrections", "nothing"):
        assert problem_of(desk.record({}, name="x", word=word))["code"] == "not_found"
