"""The kind `erasure/v1`: the contents of one data subject's records in one log were destroyed.

Which records those are is private and sealed under the organization's key, so that nobody learns from the
log that several records are one person's. Public is only why. Every log that holds records of the subject
gets an entry of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import parse_time
from ledger_service.proofs.entry import format_pointer, parse_pointer
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.shapes import list_of, text_of
from ledger_service.records.kinds import FieldProblem, Kind, ParsedRecord, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.entry import Pointer

REASONS: Final = (
    "consent_withdrawn",
    "legal_obligation",
    "objection",
    "retention_ended",
    "subject_request",
    "unlawful_processing",
)
"""Why contents are erased: the grounds of article 17 of the GDPR, and the end of a period of retention."""

MOST_TARGETS: Final = 1_000_000

SCHEMA: Final = Schema(kind="erasure/v1", private=("targets", "unrecoverable"), public=("reason",))

EXAMPLE_ERASURE: Final[dict[str, JsonValue]] = {
    "reason": "subject_request",
    "targets": [
        {
            "log": "ledger.example/logs/cdnow/purchases",
            "index": 17,
            "leaf": "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
        }
    ],
    "unrecoverable": "2026-12-27T14:03:07Z",
}
"""A payload that is valid, for documents and tests."""


def describe_erasure(targets: Sequence[Pointer], *, reason: str, unrecoverable: str) -> dict[str, JsonValue]:
    """The payload of an erasure of these records; `unrecoverable` is when no backup holds them any more."""
    return {
        "reason": reason,
        "targets": [format_pointer(each) for each in targets],
        "unrecoverable": unrecoverable,
    }


def parse_erasure(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """The fields of one erasure; raises InvalidPayloadError."""
    del now
    problems: list[FieldProblem] = [
        {"field": name, "problem": "is missing or not known"}
        for name in sorted(payload.keys() ^ EXAMPLE_ERASURE.keys())
    ]
    if payload.get("reason") not in REASONS:
        problems.append(reason_problem())
    fields = cast("Mapping[str, JsonValue]", payload)
    for name, read in (("targets", read_targets), ("unrecoverable", read_unrecoverable)):
        try:
            read(fields)
        except (MalformedError, KeyError):
            problems.append({"field": name, "problem": "is not in its form"})
    if problems:
        raise refuse(problems)
    private = {name: fields[name] for name in SCHEMA.private}
    return ParsedRecord(private, {"reason": fields["reason"]}, subject=None, reference=None)


def reason_problem() -> FieldProblem:
    """What is wrong with a reason that is none."""
    return {"field": "reason", "problem": f"must be one of {', '.join(REASONS)}"}


def read_targets(fields: Mapping[str, JsonValue]) -> tuple[Pointer, ...]:
    """The records whose contents an erasure destroyed, at least one; raises MalformedError."""
    targets = list_of(fields["targets"], what="targets", at_most=MOST_TARGETS)
    if not targets:
        raise MalformedError("An erasure names no target.")
    return tuple(parse_pointer(each) for each in targets)


def read_unrecoverable(fields: Mapping[str, JsonValue]) -> datetime:
    """When no backup holds the contents any more; raises MalformedError."""
    return parse_time(text_of(fields["unrecoverable"], what="unrecoverable"))


def subject_of_erasure(payload: Mapping[str, object]) -> None:
    """Nobody: an erasure is the organization's own record, so that erasing its subject does not erase it."""
    del payload


ERASURE: Final = Kind(
    name=SCHEMA.kind,
    # Every collection's logs hold it, and nobody records it but the eraser.
    collection="",
    word=None,
    schema=SCHEMA,
    parse=parse_erasure,
    subject_of=subject_of_erasure,
    example=EXAMPLE_ERASURE,
)
