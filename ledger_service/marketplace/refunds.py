"""The kind `refund/v1`: money of one purchase was given back, all of it or a part.

Its fields are private and sealed under the key of the purchase, so that erasing the buyer erases both. The
reason and the extent are public: the refund that completes the amount is `full`, and the purchase is
`refunded` from then on; the others are `partial`. Refunds are in the purchase's currency and together never
more than was paid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.errors import StateConflictError
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.proofs.canonical import MAX_INTEGER
from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import Effect, FieldProblem, Kind, ParsedRecord, Pointing, refuse
from ledger_service.records.payload_rules import (
    PAST_MOMENT,
    RECORD_ID,
    FieldRule,
    check_fields,
    integer,
    one_of,
    word,
)
from ledger_service.records.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.records.kinds import Pointed

LONGEST_WORD: Final = 64
MOST_REFUNDS: Final = 100
"""Of one purchase: each is opened again to add up the next one."""

_PRIVATE: Final[Mapping[str, FieldRule]] = {
    "amount_minor": integer(1, MAX_INTEGER),
    "currency": one_of(MINOR_UNITS.keys(), "must be a current ISO 4217 code such as USD"),
    "refund_number": word(LONGEST_WORD),
    "refunded_at": PAST_MOMENT,
}
_RULES: Final[Mapping[str, FieldRule]] = {
    **_PRIVATE,
    "purchase": RECORD_ID,
    "reason": one_of(REASONS.keys(), "must be a reason of the list in contracts/README.md"),
}

SCHEMA: Final = Schema(kind="refund/v1", private=tuple(sorted(_PRIVATE)), public=("extent", "reason"))

EXAMPLE_REFUND: Final[dict[str, Any]] = {
    "purchase": "q1wFMcc0d1N4nU0dO5bYDA",
    "refund_number": "R-2026-000311",
    "amount_minor": 4500,
    "currency": "USD",
    "refunded_at": "2026-11-21T09:30:00Z",
    "reason": "returned",
}
"""A payload that is valid, for documents and tests."""


def parse_refund(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """The fields of one refund; raises InvalidPayloadError that lists the problems and no values."""
    problems = check_fields(payload, rules=_RULES, required=frozenset(_RULES), now=now)
    if problems:
        raise refuse(problems)
    fields = cast("Mapping[str, Any]", payload)
    return ParsedRecord(
        private={name: fields[name] for name in _PRIVATE},
        public={"reason": fields["reason"]},
        subject=None,
        reference=fields["refund_number"],
        points_at=fields["purchase"],
    )


def measure_refund(refund: ParsedRecord, pointed: Pointed) -> Mapping[str, JsonValue]:
    """Hold a refund against its purchase and the refunds before it; returns the extent.

    Raises InvalidPayloadError for another currency or more than is left.
    """
    purchase, earlier = pointed.values(), pointed.others()
    if len(earlier) >= MOST_REFUNDS:
        raise StateConflictError("The purchase has as many refunds as it can have.", most=MOST_REFUNDS)
    problems: list[FieldProblem] = []
    left = _amount(purchase) - sum(_amount(each) for each in earlier)
    if refund.private["currency"] != purchase["currency"]:
        problems.append({"field": "currency", "problem": "must be the currency of the purchase"})
    elif _amount(refund.private) > left:
        problems.append({"field": "amount_minor", "problem": "must not be over what is left of the purchase"})
    if problems:
        raise refuse(problems)
    return {"extent": "full" if _amount(refund.private) == left else "partial"}


def effect_of_refund(public: Mapping[str, JsonValue]) -> Effect | None:
    """The refund that completes the amount makes the purchase `refunded`; one before it changes nothing."""
    return Effect("refunded", str(public["reason"])) if public.get("extent") == "full" else None


def subject_of_refund(_: Mapping[str, object]) -> None:
    """None: whose data it is follows from the purchase."""


def _amount(fields: Mapping[str, JsonValue]) -> int:
    return cast("int", fields["amount_minor"])


REFUND: Final = Kind(
    name="refund/v1",
    collection="purchases",
    word="refunds",
    schema=SCHEMA,
    parse=parse_refund,
    subject_of=subject_of_refund,
    example=EXAMPLE_REFUND,
    pointing=Pointing(
        role="target",
        effect=effect_of_refund,
        kinds=frozenset({"purchase/v1"}),
        measure=measure_refund,
        seals_alike=True,
    ),
)
