"""What surrounds every request.

An id, checks that hold everywhere, headers, a log line, errors as problems.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Final

import structlog
from flask import g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from api.auth import admit
from api.errors import problem_response
from api.operations import query_of
from api.parsing import check_query
from api.web.error_pages import error_page, wants_page
from ledger_service.errors import (
    BadRequestError,
    BodyTooLargeError,
    InternalError,
    LedgerError,
    MethodNotAllowedError,
    NotFoundError,
)

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Response

    from api.edge import Edge

_log: Final = structlog.get_logger("api")

_DAY_S: Final = 86_400
_PERSON: Final = re.compile(r"(/subjects/).*", re.DOTALL | re.IGNORECASE)
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
# What is no page: no script, style, frame or image of anybody may run in its name. Pages bring their own.
_NO_PAGE: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)


# Two answer whoever asks, for they cost nothing; the other knows no API keys and looks at its caller itself.
_APART: Final = frozenset({"health.alive", "metrics.metrics", "pages.static"})


def frame(app: APIFlask, edge: Edge) -> None:
    """Put the frame around every route of `app`; `edge` charges callers and counts."""
    headers: tuple[tuple[str, str], ...] = _HEADERS
    if edge.settings.hsts_days:
        seconds = edge.settings.hsts_days * _DAY_S
        headers = (*headers, ("Strict-Transport-Security", f"max-age={seconds}; includeSubDomains"))

    def begin() -> None:
        _begin()
        if request.endpoint not in _APART:
            admit(edge.limits)
        if request.query_string:
            known = query_of(app.view_functions.get(request.endpoint or ""))
            check_query(request.query_string.decode("latin-1"), known=known)

    def end(response: Response) -> Response:
        took_s = time.perf_counter() - g.began
        edge.metrics.note(
            request.url_rule, method=request.method, status=response.status_code, seconds=took_s
        )
        return _end(response, headers, took_s=took_s)

    app.before_request(begin)
    app.after_request(end)
    app.register_error_handler(LedgerError, _answer_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_defect)


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    g.caller = None


def _end(response: Response, safety: tuple[tuple[str, str], ...], *, took_s: float) -> Response:
    headers = response.headers
    for name, value in safety:
        headers[name] = value
    for name, value in _NO_PAGE:
        headers.setdefault(name, value)
    headers["X-Request-Id"] = g.request_id
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    _log.info(
        "request",
        id=g.request_id,
        method=request.method,
        # A person is named in this part of a path, whether or not a route has it.
        path=_PERSON.sub(r"\1…", request.path),
        status=response.status_code,
        took_ms=round(took_s * 1000, 1),
        key=g.caller.key if g.caller else None,
    )
    return response


def _answer(error: LedgerError) -> Response:
    """An error as a problem, or as a page to whoever asked for a page."""
    return error_page(error) if wants_page() else problem_response(error)


def _answer_error(error: LedgerError) -> Response:
    response = _answer(error)
    if response.status_code >= 500:  # noqa: PLR2004  the first status that is our fault
        _log.error("failed", id=g.request_id, code=error.code, detail=error.text, details=error.details)
    return response


def _answer_http_error(error: HTTPException) -> Response:
    """Answer what Werkzeug refuses before a route runs."""
    if isinstance(error, NotFound):
        return _answer(NotFoundError())
    if isinstance(error, MethodNotAllowed):
        response = _answer(MethodNotAllowedError())
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response
    if isinstance(error, RequestEntityTooLarge):
        return _answer(BodyTooLargeError())
    if error.code is not None and error.code < 500:  # noqa: PLR2004
        return _answer(BadRequestError())
    return _answer(InternalError())


def _answer_defect(error: Exception) -> Response:
    _log.error("defect", id=g.request_id, kind=type(error).__name__, exc_info=error)
    return _answer(InternalError())
