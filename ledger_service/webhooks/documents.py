"""Endpoints and deliveries as the API and the command show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.proofs.canonical import format_time

if TYPE_CHECKING:
    from ledger_service.webhooks.endpoints import Delivery, Endpoint


def describe_endpoint(endpoint: Endpoint) -> dict[str, object]:
    """An endpoint without its secret."""
    return {
        "id": endpoint.name,
        "url": endpoint.url,
        "created": format_time(endpoint.created),
        "failures": endpoint.failures,
    }


def describe_delivery(delivery: Delivery) -> dict[str, object]:
    """One event for one endpoint."""
    attempted = delivery.attempted
    return {
        "id": delivery.name,
        "log": delivery.log,
        "size": delivery.size,
        "created": format_time(delivery.created),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "attempted": None if attempted is None else format_time(attempted),
        "status": delivery.status,
        "problem": delivery.problem,
    }
