"""Webhooks: where an organization wants to hear that its records are anchored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint

from api.answers import bytes_answer, json_answer
from api.auth import required_caller
from api.operations import Content, operation
from api.parsing import read_body
from api.service import service
from api.shapes import WebhookDeliveries, WebhookList, WebhookOrder, WebhookSecret
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BadRequestError
from ledger_service.records.payload_text import parse_object
from ledger_service.webhooks.documents import describe_delivery, describe_endpoint

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("webhooks", __name__)
_LARGEST_ORDER: Final = 8_192


@blueprint.post("/v1/orgs/<org>/webhooks")
@operation(
    blueprint,
    "registerWebhook",
    tag="webhooks",
    scope=Scope.WEBHOOKS_MANAGE,
    body=Content("Where to send.", WebhookOrder),
    answers={201: Content("Registered, with its signing secret, this once.", WebhookSecret)},
)
def register(org: str) -> Response:
    """Register an endpoint and get the secret that signs its events, this once.

    A second endpoint with the same URL is refused with 409: if the answer with the secret was lost, remove
    the endpoint and register it again.
    """
    caller = required_caller(org, scope=Scope.WEBHOOKS_MANAGE)
    order = parse_object(read_body(_LARGEST_ORDER))
    if order.keys() != {"url"} or type(order["url"]) is not str:
        raise BadRequestError('The body must be {"url": "https://…"}.')
    made = service().webhooks.endpoints.register(caller.org, order["url"])
    return json_answer({**describe_endpoint(made.endpoint), "secret": made.secret}, status=201)


@blueprint.get("/v1/orgs/<org>/webhooks")
@operation(
    blueprint,
    "listWebhooks",
    tag="webhooks",
    scope=Scope.WEBHOOKS_MANAGE,
    answers={200: Content("The endpoints, oldest first.", WebhookList)},
)
def all_webhooks(org: str) -> Response:
    """List the endpoints, without their secrets."""
    caller = required_caller(org, scope=Scope.WEBHOOKS_MANAGE)
    return json_answer(
        {"webhooks": [describe_endpoint(each) for each in service().webhooks.endpoints.all(caller.org)]}
    )


@blueprint.get("/v1/orgs/<org>/webhooks/<webhook>/deliveries")
@operation(
    blueprint,
    "listWebhookDeliveries",
    tag="webhooks",
    scope=Scope.WEBHOOKS_MANAGE,
    answers={200: Content("The newest hundred events, newest first.", WebhookDeliveries)},
)
def deliveries(org: str, webhook: str) -> Response:
    """Show what an endpoint was sent and what became of it. What it answered is never shown, but its status."""
    caller = required_caller(org, scope=Scope.WEBHOOKS_MANAGE)
    found = service().webhooks.endpoints.deliveries(caller.org, webhook)
    return json_answer({"deliveries": [describe_delivery(each) for each in found]})


@blueprint.delete("/v1/orgs/<org>/webhooks/<webhook>")
@operation(
    blueprint,
    "removeWebhook",
    tag="webhooks",
    scope=Scope.WEBHOOKS_MANAGE,
    answers={204: Content("Removed.", media=())},
)
def remove(org: str, webhook: str) -> Response:
    """Forget an endpoint, its secret and everything it was owed."""
    caller = required_caller(org, scope=Scope.WEBHOOKS_MANAGE)
    service().webhooks.endpoints.remove(caller.org, webhook)
    return bytes_answer(b"", status=204)
