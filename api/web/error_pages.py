"""Errors as pages, for people; programs get the same errors as problems."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import g, request

from api.errors import problem_response, status_of
from api.web.rendering import page

if TYPE_CHECKING:
    from flask import Response

    from ledger_service.errors import LedgerError

PAGES: Final = "pages"
_OFFERED: Final = ("application/problem+json", "application/json", "text/html")


def wants_page() -> bool:
    """Whether a page was asked for: by its own path, or by a browser at a path that nothing has."""
    if request.blueprint is not None:
        return request.blueprint.startswith(PAGES)
    if request.path.startswith(("/v1/", "/static/")):
        return False
    return request.accept_mimetypes.best_match(_OFFERED) == "text/html"


def error_page(error: LedgerError) -> Response:
    """What went wrong, in words, with the code and the request's id to name it by."""
    status = status_of(error)
    own = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE
    response = page(
        "error.html",
        status=status,
        cache=None,
        code=error.code,
        # What a server fault says of itself is for our log, not for the reader.
        sentence=error.message if own else error.text,
        request_id=g.request_id,
    )
    told = problem_response(error).headers
    if "Retry-After" in told:
        response.headers["Retry-After"] = told["Retry-After"]
    return response
