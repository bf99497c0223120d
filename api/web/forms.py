"""Forms of pages: who sends them, from where, and that it was meant.

A session's cookie is `__Host-ledger`: Secure, HttpOnly, SameSite=Strict, for this host alone. Over plain http a
browser does not keep such a cookie, so at a loopback name (localhost, 127.0.0.1, [::1]) it is `ledger-local`
without Secure: what is sent there never leaves the machine. Anywhere else plain http means no session.

Every form that does something carries a token that follows from its session's; the one that signs in carries
that of a cookie made for the form. A request that a browser says another site has started is refused before.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

from api.service import service
from ledger_service.accounts.sessions import LONGEST, TOKEN_BYTES, check_form_token, form_token_of
from ledger_service.errors import BadRequestError, BodyTooLargeError, ForeignFormError, UnauthenticatedError
from ledger_service.proofs.canonical import encode_base64url

if TYPE_CHECKING:
    from flask import Response

    from ledger_service.accounts.scopes import Scope
    from ledger_service.accounts.sessions import Session

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SESSION: Final = "ledger"
_FORM: Final = "ledger-form"
# Long enough to look for the key, short enough that a forgotten page starts afresh.
_FORM_S: Final = 3_600
_LARGEST_FORM: Final = 1_048_576


def check_same_site() -> None:
    """Raise ForeignFormError when the browser says that another site has made this request."""
    came_from = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if came_from not in {None, "same-origin"}:
        raise ForeignFormError
    # A browser that hides the origin of its forms (`null`) says nothing; the token decides then.
    if origin not in {None, "null"} and str(origin).rpartition("://")[2] != request.host:
        raise ForeignFormError


def required_session(scope: Scope | None = None) -> Session:
    """Whose page this is; raises UnauthenticatedError, ScopeMissingError."""
    if "session" not in g:
        g.session = service().sessions.find(session_text())
        g.caller = g.session.caller
    session: Session = g.session
    if scope is not None:
        session.caller.check_scope(scope)
    return session


def session_text() -> str:
    """The token that the browser holds; raises UnauthenticatedError without one."""
    text = request.cookies.get(_cookie(_SESSION))
    if not text:
        raise UnauthenticatedError
    return text


def check_form(scope: Scope | None = None, *, largest: int = _LARGEST_FORM) -> Session:
    """The session whose form this is.

    Raises ForeignFormError, UnauthenticatedError, ScopeMissingError, BodyTooLargeError.
    """
    check_same_site()
    session = required_session(scope)
    bound_form(largest)
    _check_token(session_text())
    return session


def bound_form(largest: int) -> None:
    """Read the form, at most so many bytes of it; raises BodyTooLargeError."""
    request.max_content_length = largest
    request.max_form_memory_size = _LARGEST_FORM
    try:
        if not request.form:
            raise BadRequestError
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError(limit=largest) from error


def offer_sign_in() -> str:
    """What the form that signs in carries; `keep_offer` gives its cookie to the browser."""
    g.offered = request.cookies.get(_cookie(_FORM)) or encode_base64url(secrets.token_bytes(TOKEN_BYTES))
    try:
        return form_token_of(g.offered)
    except UnauthenticatedError:
        g.offered = encode_base64url(secrets.token_bytes(TOKEN_BYTES))
        return form_token_of(g.offered)


def keep_offer(response: Response) -> Response:
    """Let the browser hold what its form is compared with."""
    _set(response, _FORM, g.offered, lasts_s=_FORM_S)
    return response


def check_sign_in() -> None:
    """Raise ForeignFormError unless the form that signs in is one that this browser got from us."""
    check_same_site()
    bound_form(_LARGEST_FORM)
    _check_token(request.cookies.get(_cookie(_FORM)) or "")


def keep_session(response: Response, text: str) -> Response:
    """Let the browser hold a session's token."""
    _set(response, _SESSION, text, lasts_s=int(LONGEST.total_seconds()))
    return forget(response, _FORM)


def forget(response: Response, name: str = _SESSION) -> Response:
    """Let the browser forget a cookie."""
    response.delete_cookie(_cookie(name), path="/", secure=not _is_local(), httponly=True, samesite="Strict")
    return response


def _check_token(text: str) -> None:
    try:
        check_form_token(request.form.get("token", ""), of=text)
    except UnauthenticatedError:
        raise ForeignFormError from None


def _set(response: Response, name: str, value: str, *, lasts_s: int) -> None:
    response.set_cookie(
        _cookie(name),
        value,
        max_age=lasts_s,
        path="/",
        secure=not _is_local(),
        httponly=True,
        samesite="Strict",
    )


def _cookie(name: str) -> str:
    return f"{name}-local" if _is_local() else f"__Host-{name}"


def _is_local() -> bool:
    """Whether the reader came over plain http to this machine's own name."""
    return request.scheme == "http" and urlsplit(f"//{request.host}").hostname in _LOOPBACK
