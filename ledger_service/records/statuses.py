"""The kind `status/v1`: an organization changes the status of one of its records.

Everything is public: the new state, a neutral reason, and `since`, from when on it is in force, where that is
not the moment of acceptance. States that follow from something else are not said by it: a refund makes a
purchase `refunded`, a replacement makes what it replaces `superseded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import Effect, Kind, ParsedRecord, Pointing, refuse
from ledger_service.records.payload_rules import PAST_MOMENT, RECORD_ID, FieldRule, check_fields, one_of
from ledger_service.records.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue

STATES: Final = ("active", "revoked", "suspended", "withdrawn")

_RULES: Final[Mapping[str, FieldRule]] = {
    "record": RECORD_ID,
    "state": one_of(STATES, f"must be one of {', '.join(STATES)}"),
    "reason": one_of(REASONS.keys(), "must be a reason of the list in contracts/README.md"),
    "since": PAST_MOMENT,
}
_REQUIRED: Final = frozenset({"record", "state", "reason"})

SCHEMA: Final = Schema(kind="status/v1", private=(), public=("reason", "since", "state"))

EXAMPLE_STATUS: Final[dict[str, Any]] = {
    "record": "q1wFMcc0d1N4nU0dO5bYDA",
    "state": "revoked",
    "reason": "requirements_not_met",
    "since": "2026-11-20T14:03:07Z",
}
"""A payload that is valid, for documents and tests."""


def parse_status(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """One change of status; raises InvalidPayloadError that lists the problems and no values."""
    problems = check_fields(payload, rules=_RULES, required=_REQUIRED, now=now)
    if problems:
        raise refuse(problems)
    fields = cast("Mapping[str, Any]", payload)
    return ParsedRecord(
        private={},
        public={name: value for name, value in fields.items() if name != "record"},
        subject=None,
        reference=None,
        points_at=fields["record"],
    )


def effect_of_status(public: Mapping[str, JsonValue]) -> Effect:
    """The state that it says, for the reason that it says."""
    return Effect(str(public["state"]), str(public["reason"]))


def no_subject(_: Mapping[str, object]) -> None:
    """None: nothing in it is anybody's."""


STATUS: Final = Kind(
    name="status/v1",
    collection="",
    word=None,
    schema=SCHEMA,
    parse=parse_status,
    subject_of=no_subject,
    example=EXAMPLE_STATUS,
    pointing=Pointing(role="target", effect=effect_of_status),
)
