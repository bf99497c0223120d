"""Reasons of status changes: one list for every kind, by the name in entries and the code in contracts.

A reason is neutral, never text and never about a person. A code is given out once and never changes.
"""

from __future__ import annotations

from typing import Final

from ledger_service.errors import UnknownReasonError

REASONS: Final[dict[str, int]] = {
    "unspecified": 0,
    "holder_request": 1,
    "issuer_decision": 2,
    "entered_in_error": 3,
    "replaced": 4,
    "key_compromise": 5,
    "under_review": 6,
    "review_closed": 7,
    "requirements_not_met": 8,
    "integrity": 9,
    "legal": 10,
    "source_changed": 11,
    "returned": 12,
    "cancelled": 13,
    "not_delivered": 14,
    "defective": 15,
    "charged_twice": 16,
    "disputed": 17,
    "goodwill": 18,
}
_NAMES: Final = {code: name for name, code in REASONS.items()}


def reason_code(name: str) -> int:
    """The uint16 that contracts keep for a reason; raises UnknownReasonError."""
    try:
        return REASONS[name]
    except KeyError:
        raise UnknownReasonError(reason=name[:64]) from None


def reason_name(code: int) -> str:
    """The name of a contract's code; raises UnknownReasonError."""
    try:
        return _NAMES[code]
    except KeyError:
        raise UnknownReasonError(code=code) from None
