"""Alive, and ready with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiflask import APIBlueprint

from api.answers import json_answer
from api.operations import Content, operation
from api.service import service
from api.shapes import DeepHealth, Health, Readiness
from ledger_service.proofs.canonical import format_time

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("health", __name__)


@blueprint.get("/healthz")
@operation(blueprint, "alive", tag="health", answers={200: Content("The process answers.", Health)})
def alive() -> Response:
    """Say that the process answers."""
    return json_answer({"alive": True})


@blueprint.get("/healthz/deep")
@operation(
    blueprint,
    "healthy",
    tag="health",
    answers={
        200: Content("Every check passed.", DeepHealth),
        503: Content("A check failed, or could not be made.", DeepHealth),
    },
)
def healthy() -> Response:
    """Look at what must hold: storage, keys, clock, checkpoints against tiles, promises, anchors.

    The outcome is kept for ten seconds, whoever asks. Reads and proofs go on whatever it says.
    """
    found = service().self_check.examine()
    document = {
        "healthy": found.healthy,
        "time": format_time(found.time.replace(microsecond=0)),
        "checks": [{"name": e.name, "outcome": e.outcome, "detail": e.detail} for e in found.checks],
    }
    return json_answer(document, status=200 if found.healthy else 503)


@blueprint.get("/readyz")
@operation(
    blueprint,
    "ready",
    tag="health",
    answers={
        200: Content("Reads and writes work.", Readiness),
        503: Content("Writes are refused, or something needs a hand; the reasons say what.", Readiness),
    },
)
def ready() -> Response:
    """Say whether writes are taken, and what is wrong. Reads and proofs go on meanwhile."""
    found = service().readiness()
    document = {"ready": found.ready, "reasons": list(found.reasons), "notes": list(found.notes)}
    return json_answer(document, status=200 if found.ready else 503)
