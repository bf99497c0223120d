"""The kind `correction/v1`: a record was wrong, and another of its kind takes its place.

It points at the wrong record and says why. The right one is accepted together with it, as the next entry,
and has the wrong one as its `previous`. Nothing is overwritten: the wrong one becomes `superseded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import Effect, Kind, ParsedRecord, Pointing, refuse
from ledger_service.records.payload_rules import RECORD_ID, FieldRule, check_fields, one_of
from ledger_service.records.reasons import REASONS
from ledger_service.records.statuses import no_subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue

_RULES: Final[Mapping[str, FieldRule]] = {
    "record": RECORD_ID,
    "reason": one_of(REASONS.keys(), "must be a reason of the list in contracts/README.md"),
}

SCHEMA: Final = Schema(kind="correction/v1", private=(), public=("reason",))

EXAMPLE_CORRECTION: Final[dict[str, Any]] = {
    "record": "q1wFMcc0d1N4nU0dO5bYDA",
    "reason": "entered_in_error",
}
"""A payload that is valid, for documents and tests."""


def parse_correction(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """One correction, without the record that it brings; raises InvalidPayloadError."""
    problems = check_fields(payload, rules=_RULES, required=frozenset(_RULES), now=now)
    if problems:
        raise refuse(problems)
    fields = cast("Mapping[str, Any]", payload)
    return ParsedRecord(
        private={},
        public={"reason": fields["reason"]},
        subject=None,
        reference=None,
        points_at=fields["record"],
    )


def effect_of_correction(public: Mapping[str, JsonValue]) -> Effect:
    """What was wrong is superseded."""
    return Effect("superseded", str(public["reason"]))


CORRECTION: Final = Kind(
    name="correction/v1",
    collection="",
    word=None,
    schema=SCHEMA,
    parse=parse_correction,
    subject_of=no_subject,
    example=EXAMPLE_CORRECTION,
    pointing=Pointing(role="target", effect=effect_of_correction),
)
