"""Figures for the operator's Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiflask import APIBlueprint
from prometheus_client import CONTENT_TYPE_LATEST

from api.answers import bytes_answer
from api.auth import admit_operator
from api.operations import Content, operation
from api.service import edge

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("metrics", __name__)


@blueprint.get("/metrics")
@operation(
    blueprint,
    "metrics",
    tag="health",
    operator=True,
    answers={200: Content("Figures in Prometheus' text format.", media=("text/plain",))},
    problems=(404,),
)
def metrics() -> Response:
    """Give the figures of this process to whoever has the operator's token.

    Where no token is configured there is nothing here for anybody.
    """
    admit_operator(edge())
    return bytes_answer(edge().metrics.format(), media=CONTENT_TYPE_LATEST)
