"""The service that this application stands on, what stands before it, and how routes reach both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from flask import current_app

if TYPE_CHECKING:
    from flask import Flask

    from api.edge import Edge
    from ledger_service.wiring import Service

_NAME: Final = "audit-ledger"
_EDGE: Final = "audit-ledger edge"


def attach(app: Flask, built: Service, edge: Edge) -> None:
    """Let the routes of `app` use `built`, and what stands before them."""
    app.extensions[_NAME] = built
    app.extensions[_EDGE] = edge


def edge() -> Edge:
    """What stands before the routes of the application that answers the present request."""
    return cast("Edge", current_app.extensions[_EDGE])


def service() -> Service:
    """The service of the application that answers the present request."""
    return cast("Service", current_app.extensions[_NAME])
