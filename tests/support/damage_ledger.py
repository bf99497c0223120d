"""A real ledger to damage: every kind, refunds, statuses, a correction, an erasure; anchored; with full tiles."""

from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ledger_service.wiring.kinds import KINDS
from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ERASED = "buyer-7"


def make_damage_ledger(folder: Path, *, rows: int) -> HttpLedger:
    """Fill an installation in `folder` over HTTP, let it be anchored, audit it, and end it like a power cut.

    So the newest commits are in the WAL files still. `rows` purchases come in one stream, beside the others.
    """
    with HttpLedger(folder, UNSAFE_WEBHOOKS="yes", SEAL_WORKERS="0", HEARTBEAT_S="3600") as ledger:
        ledger.command("webhook", "create", "shop", "http://localhost:9/hook")
        _fill(ledger, rows)
        for name in ("purchases", "completions", "datasets"):
            until(partial(_is_anchored, ledger, name))
        ledger.command("audit", "--with-chain")
    return ledger


def _fill(ledger: HttpLedger, rows: int) -> None:
    bought = _stream(ledger, "purchases", (purchase(n, buyer=f"buyer-{n % 40}") for n in range(rows)))
    earned = _stream(
        ledger,
        "completions",
        ({**_example("completion/v1"), "learner": f"l{n}", "certificate_number": f"c{n}"} for n in range(60)),
    )
    for number, record in enumerate((bought[0], bought[0], bought[1])):
        refund = {
            **_example("refund/v1"),
            "purchase": record,
            "refund_number": f"r{number}",
            "amount_minor": 1,
        }
        _post(ledger, "/v1/orgs/shop/refunds", refund)
    for record, state, reason in (
        (earned[0], "suspended", "under_review"),
        (earned[1], "revoked", "integrity"),
        (earned[2], "suspended", "under_review"),
        (earned[2], "active", "review_closed"),
    ):
        _post(ledger, f"/v1/records/{record}/status", {"state": state, "reason": reason})
    right = {**_example("completion/v1"), "learner": "l9", "certificate_number": "c9-right"}
    correction = {"reason": "entered_in_error", "replacement": right}
    _post(ledger, f"/v1/records/{earned[9]}/correction", correction)
    first = _post(ledger, "/v1/orgs/shop/datasets", _example("dataset/v1"))
    following = {**_example("dataset/v1"), "dataset_number": "second", "supersedes": first}
    _post(ledger, "/v1/orgs/shop/datasets", following)
    _post(ledger, f"/v1/orgs/shop/subjects/{ERASED}/erase", {"reason": "subject_request"})


def _example(kind: str) -> dict[str, Any]:
    return dict(KINDS.get(kind).example)


def _stream(ledger: HttpLedger, word: str, rows: Iterable[dict[str, Any]]) -> list[str]:
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    reply = ledger.ask(
        "POST", f"/v1/orgs/shop/{word}/bulk", body, key=ledger.key, Idempotency_Key=word,
        Content_Type="application/x-ndjson",
    )  # fmt: skip
    return [json.loads(line)["id"] for line in reply.body.splitlines()]


def _post(ledger: HttpLedger, path: str, body: dict[str, Any]) -> str:
    data = json.dumps(body).encode()
    name = sha256(path.encode() + data).hexdigest()
    reply = ledger.ask(
        "POST", path, data, key=ledger.key, Idempotency_Key=name, Content_Type="application/json"
    )
    assert reply.status == HTTPStatus.CREATED, reply.body
    return reply.headers.get("Location", "/").rsplit("/", 1)[1]


def _is_anchored(ledger: HttpLedger, name: str) -> bool | None:
    log = ledger.get(f"/v1/logs/shop/{name}").json
    ready = ledger.get("/readyz").json
    done = log["anchor"] is not None and log["anchor"]["size"] == log["size"]
    return True if done and not ready["notes"] else None
