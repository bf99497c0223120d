"""Errors that a ledger names over HTTP (RFC 9457), as the errors they are here."""

from __future__ import annotations

import json

from ledger_service import errors


def named_error(problem: bytes) -> errors.LedgerError:
    """The error that a problem names, or the base of the tree if the code is not one of ours."""
    try:
        members = json.loads(problem)
        code, detail, details = members["code"], members["detail"], members.get("errors") or {}
        return error_of(code, str(detail), dict(details))
    except (ValueError, KeyError, TypeError):
        return errors.LedgerError("The service answered with something that is not a problem document.")


def error_of(code: object, detail: str, details: dict[str, object]) -> errors.LedgerError:
    """The error of a code."""
    kinds = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.LedgerError)
    ]
    kind = next((each for each in kinds if each.code == code), errors.LedgerError)
    return kind(detail, **{str(name): value for name, value in details.items()})
