"""The WSGI application."""

from __future__ import annotations

import atexit
import os
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog
from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from api import service as services
from api.edge import build_edge
from api.frame import frame
from api.operations import OPERATOR, SECURITY, finish_document
from api.routes import BLUEPRINTS
from api.web.rendering import prepare
from ledger_service.config import settings_from_environment
from ledger_service.wiring import build
from ledger_service.wiring.events import configure_events

if TYPE_CHECKING:
    from ledger_service.errors import LedgerError
    from ledger_service.wiring import Service

_log: Final = structlog.get_logger("api")
_LAST_WORDS_S: Final = 0.5
# gunicorn.arbiter.Arbiter.WORKER_BOOT_ERROR: it stops when a worker ends with this.
_WORKER_BOOT_ERROR: Final = 3
_DESCRIPTION: Final = "Records facts so that outsiders can check that nothing was changed or hidden."


def end_process(error: LedgerError) -> None:
    """Let the requests that wait hear of it, then end this worker such that gunicorn does not start another.

    Only a process that reads it afresh knows what a storage failure left, and somebody should look first.
    """
    threading.Timer(_LAST_WORDS_S, os._exit, [_WORKER_BOOT_ERROR]).start()
    _log.critical("ending", code=error.code, details=error.details)


def create_app(service: Service | None = None) -> APIFlask:
    """Build the application on `service`, or build, start and use the one that the environment describes.

    Called by gunicorn in its worker, after the fork: threads and database connections begin here.
    """
    if service is None:
        settings = settings_from_environment()
        configure_events(settings.log_level)
        service = build(settings, on_fatal=end_process)
        service.start()
        # Gunicorn ends its worker by leaving the interpreter, after the last request.
        atexit.register(service.stop)
    app = APIFlask(
        "api",
        title="audit-ledger",
        version=version("audit-ledger"),
        docs_path=None,
        # Files of pages are served under addresses that name their content.
        static_folder=None,  # type: ignore[arg-type]
        template_folder="web/templates",
    )
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        DESCRIPTION=_DESCRIPTION,
        AUTO_200_RESPONSE=False,
        MAX_CONTENT_LENGTH=service.settings.max_body_bytes,
        # No page of another site is invited, so no method is answered that the document does not have.
        PROVIDE_AUTOMATIC_OPTIONS=False,
        SECURITY_SCHEMES={
            SECURITY: {"type": "http", "scheme": "bearer", "description": "An API key, `alk_…`."},
            OPERATOR: {"type": "http", "scheme": "bearer", "description": "The operator's token."},
        },
    )
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    edge = build_edge(service)
    services.attach(app, service, edge)
    prepare(app)
    app.spec_processor(finish_document)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    frame(app, edge)
    if proxies := service.settings.trusted_proxies:
        # Of the forwarded headers the caller's address and scheme are believed, no host and no prefix.
        believing = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0, x_port=0, x_prefix=0)
        app.wsgi_app = believing  # type: ignore[method-assign]  # Flask's own place for middleware
    return app
