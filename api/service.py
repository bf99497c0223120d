"""The service that this application stands on, and how routes reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from flask import current_app

if TYPE_CHECKING:
    from flask import Flask

    from ledger_service.wiring import Service

_NAME: Final = "audit-ledger"


def attach(app: Flask, built: Service) -> None:
    """Let the routes of `app` use `built`."""
    app.extensions[_NAME] = built


def service() -> Service:
    """The service of the application that answers the present request."""
    return cast("Service", current_app.extensions[_NAME])
