"""A running service with something of everything in it, to be asked from its OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ledger_service.accounts.scopes import Scope
from ledger_service.config import load_settings
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.wiring import build
from tests.support.http_ledger import HttpLedger, purchase
from tests.support.schema_fuzz import Fuzzer, Known
from tests.support.two_organizations import unlimited

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.schema_fuzz import Tally

_BUYERS: Final = tuple(f"customer-{number}" for number in range(40))


def fuzz_service(folder: Path, *, requests: int, seed: int) -> Tally:
    """Start a service, ask it at least so many times, and tell what it answered."""
    with HttpLedger(folder, UNSAFE_WEBHOOKS="yes", **unlimited()) as ledger:
        document = ledger.get("/openapi.json").json
        return Fuzzer(document, url=ledger.url, known=_populate(ledger), seed=seed).run(least=requests)


def _populate(ledger: HttpLedger) -> Known:
    """Records of every kind, an endpoint, and keys: of all scopes first, of each one, none, a bad one."""
    payloads: list[tuple[str, dict[str, Any]]] = [
        *(("purchases", purchase(f"known-{buyer}", buyer=buyer)) for buyer in _BUYERS),
        *(
            ("completions", {**EXAMPLE_COMPLETION, "certificate_number": f"c-{number}"})
            for number in range(9)
        ),
        *(("datasets", {**EXAMPLE_DATASET, "title": f"Set {number}"}) for number in range(9)),
    ]
    ids = [_record(ledger, word, payload, name=f"known-{n}") for n, (word, payload) in enumerate(payloads)]
    kept, removed = (
        _post(ledger, "webhooks", {"url": f"http://localhost:9/{name}"}, name=name)["id"]
        for name in ("kept", "removed")
    )
    # The first paper of a process loads what draws it, which takes as long as several papers.
    assert ledger.get(f"/v1/records/{ids[0]}/paper").status == 200
    return Known(
        values={
            "org": ["shop"],
            "record_id": ids,
            "changeStatus.record_id": ids[len(_BUYERS) :],
            "cursor": ids[:3],
            "webhook": [removed],
            "listWebhookDeliveries.webhook": [kept],
            "subject": list(_BUYERS),
            "collection": ["purchases", "completions", "datasets"],
            "place": ["0/000.p/1", "entries/000.p/1", "1/000", "0/000"],
            "from": ["0", "1", "5"],
            "to": ["5", "9"],
            "findRecords.from": ["2026-01-01T00:00:00Z"],
            "findRecords.to": ["2050-01-01T00:00:00Z"],
            "ref": ["known-customer-1"],
            "kind": ["purchase/v1", "completion/v1"],
            "fields": ["all", "amount_minor"],
            "dry_run": ["true", "false"],
            "at": ["2026-11-22T01:02:03Z"],
            "known_at": ["2026-11-22T01:02:03Z", "2050-01-01T00:00:00Z"],
        },
        keys=(ledger.key, *_issue(ledger), "", "nonsense"),
        evidence=[ledger.get(f"/v1/records/{ids[number]}/evidence").json for number in (0, -1)],
    )


def _issue(ledger: HttpLedger) -> list[str]:
    with build(load_settings(ledger.environment), anchoring=False) as service:
        shop = service.organizations.find("shop")
        return [service.api_keys.issue(shop, scopes={each}, label="fuzz") for each in Scope]


def _record(ledger: HttpLedger, word: str, payload: dict[str, Any], *, name: str) -> str:
    entry: str = _post(ledger, word, payload, name=name)
    return entry


def _post(ledger: HttpLedger, word: str, payload: dict[str, Any], *, name: str) -> Any:
    reply = ledger.ask(
        "POST",
        f"/v1/orgs/shop/{word}",
        json.dumps(payload).encode(),
        key=ledger.key,
        Content_Type="application/json",
        Idempotency_Key=name,
    )
    assert reply.status == 201, reply.body
    return reply.json if word == "webhooks" else reply.headers["Record-Id"]
