"""Webhooks of a served ledger: registered over HTTP and by command, delivered when records are final."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook

from tests.support.http_ledger import HttpLedger, Reply, purchase, until
from tests.support.webhook_receiver import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS = "/v1/orgs/shop/webhooks"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module, which may send to loopback."""
    with HttpLedger(tmp_path_factory.mktemp("ledger"), UNSAFE_WEBHOOKS="yes") as served:
        yield served


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """An organization's own server."""
    with WebhookReceiver() as listening:
        yield listening


def register(ledger: HttpLedger, url: object, *, key: str | None = None) -> Reply:
    """Register an endpoint."""
    body = json.dumps({"url": url}).encode()
    return ledger.ask("POST", HOOKS, body, key=key or ledger.key, Content_Type="application/json")


def covering(receiver: WebhookReceiver, index: int) -> dict[str, Any]:
    """The event that tells of this index, once it came."""

    def look() -> dict[str, Any] | None:
        for each in receiver.received:
            data: dict[str, Any] = json.loads(each.body)["data"]
            if data["first_index"] <= index <= data["last_index"]:
                return data
        return None

    return until(look)


def test_an_organization_hears_when_its_record_is_final(
    ledger: HttpLedger, receiver: WebhookReceiver
) -> None:
    """The event covers the record, names the anchor that its evidence names, and verifies elsewhere."""
    made = register(ledger, receiver.url)
    assert (made.status, made.json["failures"]) == (201, 0)
    record = ledger.record(purchase("webhook"), name="webhook").record
    ledger.wait_stage(record, "final")
    index = ledger.get(f"/v1/records/{record}").json["index"]
    data = covering(receiver, index)
    evidence = ledger.get(f"/v1/records/{record}/evidence").json
    assert data["anchor"]["tx_hash"].removeprefix("0x") in json.dumps(evidence["anchors"])
    for each in list(receiver.received):
        Webhook(made.json["secret"]).verify(each.body, each.headers)
    deliveries = f"{HOOKS}/{made.json['id']}/deliveries"
    shown = until(lambda: ledger.get(deliveries, key=ledger.key).json["deliveries"] or None)
    assert {"state", "attempts", "status"} <= shown[0].keys()
    assert b"canary" not in ledger.get(deliveries, key=ledger.key).body
    gone = ledger.ask("DELETE", f"{HOOKS}/{made.json['id']}", key=ledger.key)
    assert (gone.status, gone.body) == (204, b"")
    assert ledger.get(HOOKS, key=ledger.key).json == {"webhooks": []}


def test_events_survive_a_killed_server(ledger: HttpLedger, receiver: WebhookReceiver) -> None:
    """What was not taken before the process was killed is sent after the next start, under the same id."""
    receiver.status = 503
    register(ledger, receiver.url)
    record = ledger.record(purchase("killed"), name="killed").record
    ledger.wait_stage(record, "final")
    until(lambda: receiver.received or None)
    first = receiver.received[0].headers["webhook-id"]
    ledger.kill()
    receiver.status = 200
    receiver.received.clear()
    ledger.start()
    until(lambda: receiver.received or None)
    assert receiver.received[0].headers["webhook-id"] == first


def test_registering_is_for_those_who_may(ledger: HttpLedger) -> None:
    """It needs the scope; a bad body, a bad URL and a second endpoint of one URL are refused by name."""
    reader = ledger.command("key", "create", "shop", "--scope", "records:read").stdout.strip()
    assert register(ledger, "https://a.example/", key=reader).json["code"] == "scope_missing"
    assert ledger.get(HOOKS).status == 401
    assert ledger.get("/v1/orgs/other/webhooks", key=ledger.key).status == 404
    for url in (7, None):
        assert register(ledger, url).json["code"] == "bad_request"
    refused = register(ledger, "https://[::1]/")
    assert (refused.status, refused.json["code"]) == (400, "webhook_url")
    assert register(ledger, "https://a.example/").status == 201
    again = register(ledger, "https://a.example/")
    assert (again.status, again.json["code"]) == (409, "webhook_exists")
    assert ledger.ask("DELETE", f"{HOOKS}/whe_none", key=ledger.key).status == 404


def test_the_command_does_the_same(ledger: HttpLedger) -> None:
    """Create prints the secret alone on standard output; list, deliveries and remove work on the endpoint."""
    made = ledger.command("webhook", "create", "shop", "https://b.example/")
    assert made.stdout.startswith("whsec_")
    shown = json.loads(ledger.command("webhook", "list", "shop", "--json").stdout)
    name = next(each["id"] for each in shown if each["url"] == "https://b.example/")
    assert made.stdout.strip() not in json.dumps(shown)
    assert json.loads(ledger.command("webhook", "deliveries", "shop", name, "--json").stdout) == []
    ledger.command("webhook", "remove", "shop", name, "--dry-run")
    ledger.command("webhook", "remove", "shop", name)
    ledger.command("webhook", "remove", "shop", name, expect=1)
    ledger.command("webhook", "create", "shop", "https://10.0.0.1/", expect=64)
