"""What a route gets in the place of its guard when the guard is taken away, one part of it at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.auth import optional_caller
from api.service import service
from ledger_service.accounts.api_keys import Caller
from ledger_service.errors import NotFoundError, UnauthenticatedError

if TYPE_CHECKING:
    from ledger_service.accounts.organizations import Organization
    from ledger_service.accounts.scopes import Scope


def required_caller_no_key(org: str, *, scope: Scope) -> Caller:
    """Anyone, taken for a member of the organization in the path."""
    del scope
    return _member_of(service().organizations.find(org))


def required_caller_no_scope(org: str, *, scope: Scope) -> Caller:
    """A member with any key."""
    caller = member_caller_no_scope(scope)
    if caller.org.slug != org:
        raise NotFoundError
    return caller


def required_caller_any_organization(org: str, *, scope: Scope) -> Caller:
    """Whoever has the scope, taken for a member of the organization in the path."""
    member_caller_no_scope(scope).check_scope(scope)
    return _member_of(service().organizations.find(org))


def member_caller_no_key(scope: Scope) -> Caller:
    """Whoever has no key, taken for a member of the first organization."""
    del scope
    return optional_caller() or _member_of(service().organizations.all()[0])


def member_caller_no_scope(scope: Scope) -> Caller:
    """Whoever has any key."""
    del scope
    caller = optional_caller()
    if caller is None:
        raise UnauthenticatedError
    return caller


def _member_of(org: Organization) -> Caller:
    return Caller(org=org, key="", scopes=frozenset())
