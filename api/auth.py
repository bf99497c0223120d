"""Who calls: the API key of the Authorization header, looked at once, before anything else."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from flask import g, request

from api.service import service
from ledger_service.errors import NotFoundError, UnauthenticatedError

if TYPE_CHECKING:
    from api.edge import Edge
    from api.limits import Limits
    from ledger_service.accounts.api_keys import Caller
    from ledger_service.accounts.scopes import Scope


def admit_operator(edge: Edge) -> None:
    """Let the operator's token pass, and nobody else.

    Raises NotFoundError where there is no such token, UnauthenticatedError for another, RateLimitedError.
    """
    if edge.operator_sha256 is None:
        raise NotFoundError
    token = bearer()
    if token is None:
        raise UnauthenticatedError
    edge.limits.check_guess(token)
    if not hmac.compare_digest(sha256(token.encode()).digest(), edge.operator_sha256):
        edge.limits.note_bad(token)
        raise UnauthenticatedError
    edge.limits.note_good(token)


def admit(limits: Limits) -> None:
    """Find out who calls, on every path, and charge it to them.

    Raises RateLimitedError, and UnauthenticatedError for a key that is no good.
    """
    key = bearer()
    if key is None:
        limits.charge_address()
        return
    limits.check_guess(key)
    try:
        caller = service().api_keys.authenticate(key)
    except UnauthenticatedError:
        limits.note_bad(key)
        raise
    limits.note_good(key)
    limits.charge_key(caller.key)
    g.caller = caller


def bearer() -> str | None:
    """What stands behind Bearer in the Authorization header; None for another scheme, which is not ours."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def optional_caller() -> Caller | None:
    """Who calls, or None without a key."""
    caller: Caller | None = g.caller
    return caller


def member_caller(scope: Scope) -> Caller:
    """Who calls, with `scope` in whatever organization it is of.

    Raises UnauthenticatedError, ScopeMissingError.
    """
    caller = optional_caller()
    if caller is None:
        raise UnauthenticatedError
    caller.check_scope(scope)
    return caller


def required_caller(org: str, *, scope: Scope) -> Caller:
    """Who calls, as a member of `org` with `scope`.

    Raises UnauthenticatedError without a good key, NotFoundError for another organization's (whether that
    organization exists is not told), ScopeMissingError for the right one without the scope.
    """
    caller = optional_caller()
    if caller is None:
        raise UnauthenticatedError
    # The organization first: of another's, not even a missing scope is told.
    if caller.org.slug != org:
        raise NotFoundError
    caller.check_scope(scope)
    return caller
