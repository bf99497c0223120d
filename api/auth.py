"""Who calls: the API key of the Authorization header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import g, request

from api.service import service
from ledger_service.errors import NotFoundError, UnauthenticatedError

if TYPE_CHECKING:
    from ledger_service.accounts.api_keys import Caller
    from ledger_service.accounts.scopes import Scope


def optional_caller() -> Caller | None:
    """Who calls, or None without a key; raises UnauthenticatedError for a key that is no good."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError
    caller = service().api_keys.authenticate(key)
    g.caller = caller
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
