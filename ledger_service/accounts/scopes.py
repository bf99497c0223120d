"""What an API key may do. A scope is a noun and a verb; nothing implies anything else."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ledger_service.errors import BadNameError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Scope(StrEnum):
    """One permission of a key, always within the key's own organization."""

    RECORDS_WRITE = "records:write"
    RECORDS_READ = "records:read"
    WEBHOOKS_MANAGE = "webhooks:manage"
    SUBJECTS_ERASE = "subjects:erase"


def format_scopes(scopes: Iterable[Scope]) -> str:
    """The scopes as one stored word list, sorted."""
    return " ".join(sorted(set(scopes)))


def parse_scopes(text: str) -> frozenset[Scope]:
    """The scopes of a space- or comma-separated list; raises BadNameError on an unknown one or none."""
    try:
        scopes = frozenset(Scope(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise BadNameError(f"Unknown scope. Known: {', '.join(Scope)}.") from error
    if not scopes:
        raise BadNameError(f"A key needs a scope. Known: {', '.join(Scope)}.")
    return scopes
