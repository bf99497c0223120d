"""The kind `purchase/v1`: one paid order of one customer.

All fields are private. The buyer is the platform's own reference for a customer, never a name or an
address, and is the data subject; the order number is the reference under which the platform finds the
record again. Money is in minor units of its currency: 1234 is 12.34 USD and 1234 JPY.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.proofs.canonical import MAX_INTEGER
from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import FieldProblem, Kind, ParsedRecord, refuse
from ledger_service.records.payload_rules import (
    EARLIEST,
    PAST_MOMENT,
    check_fields,
    check_names,
    code,
    integer,
    is_integer,
    is_word,
    one_of,
    word,
)
from ledger_service.records.payload_rules import FieldRule as Rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MOST_ITEMS: Final = 1_000
MOST_PIECES: Final = 1_000_000_000
LONGEST_BUYER: Final = 128
LONGEST_WORD: Final = 64

_ITEM_FIELDS: Final = frozenset({"amount_minor", "quantity", "sku"})
_ITEM_RULES: Final = {
    "sku": word(LONGEST_WORD),
    "quantity": integer(1, MOST_PIECES),
    "amount_minor": integer(0, MAX_INTEGER),
}
_RULES: Final[Mapping[str, Rule]] = {
    "buyer": word(LONGEST_BUYER),
    "order_number": word(LONGEST_WORD),
    "channel": code("web"),
    "currency": one_of(MINOR_UNITS.keys(), "must be a current ISO 4217 code such as USD"),
    "paid_at": PAST_MOMENT,
    "items": Rule(
        f"must be a list of 1 to {MOST_ITEMS} items",
        lambda value, _: type(value) is list and 1 <= len(value) <= MOST_ITEMS,
    ),
    "adjustment_minor": integer(-MAX_INTEGER, MAX_INTEGER),
    "amount_minor": integer(0, MAX_INTEGER),
}
_REQUIRED: Final = frozenset(_RULES) - {"adjustment_minor"}

SCHEMA: Final = Schema(kind="purchase/v1", private=tuple(sorted(_RULES)), public=())

EXAMPLE_PURCHASE: Final[dict[str, Any]] = {
    "order_number": "2026-004711",
    "buyer": "customer-8805",
    "paid_at": "2026-11-20T14:03:07Z",
    "channel": "web",
    "currency": "USD",
    "items": [
        {"sku": "CD-0042", "quantity": 2, "amount_minor": 2998},
        {"sku": "BOOK-17", "quantity": 1, "amount_minor": 1850},
    ],
    "adjustment_minor": -348,
    "amount_minor": 4500,
}
"""A payload that is valid, for documents and tests."""


def parse_purchase(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """The fields of one purchase; raises InvalidPayloadError that lists the problems and no values."""
    problems = check_fields(payload, rules=_RULES, required=_REQUIRED, now=now)
    total = _sum_items(payload.get("items"), problems)
    # A sum over fields that are wrong themselves would only be a second complaint about them.
    if not problems and payload["amount_minor"] != total + cast("int", payload.get("adjustment_minor", 0)):
        problems.append(
            {"field": "amount_minor", "problem": "must be the sum of the items and adjustment_minor"}
        )
    if problems:
        raise refuse(problems)
    return ParsedRecord(
        private=dict(cast("Mapping[str, Any]", payload)),
        public={},
        subject=cast("str", payload["buyer"]),
        reference=cast("str", payload["order_number"]),
    )


def subject_of_purchase(payload: Mapping[str, object]) -> str | None:
    """The buyer, if it is one that `parse_purchase` would take."""
    buyer = payload.get("buyer")
    return cast("str", buyer) if is_word(buyer, LONGEST_BUYER) else None


def _sum_items(items: object, problems: list[FieldProblem]) -> int:
    if type(items) is not list or len(items) > MOST_ITEMS:
        return 0
    total = 0
    for position, item in enumerate(items):
        if type(item) is dict and item.keys() == _ITEM_FIELDS:
            sku, quantity, amount = item["sku"], item["quantity"], item["amount_minor"]
            if (
                is_integer(quantity, 1, MOST_PIECES)
                and is_integer(amount, 0, MAX_INTEGER)
                and is_word(sku, LONGEST_WORD)
            ):
                total += amount
                continue
        _explain_item(item, at=f"items[{position}]", problems=problems)
    return total


def _explain_item(item: object, *, at: str, problems: list[FieldProblem]) -> None:
    if type(item) is not dict:
        problems.append({"field": at, "problem": "must be an object with sku, quantity and amount_minor"})
        return
    check_names(item, required=_ITEM_FIELDS, known=_ITEM_FIELDS, at=f"{at}.", problems=problems)
    problems.extend(
        {"field": f"{at}.{name}", "problem": rule.problem}
        for name, rule in _ITEM_RULES.items()
        if name in item and not rule.holds(item[name], EARLIEST)
    )


PURCHASE: Final = Kind(
    name="purchase/v1",
    collection="purchases",
    word="purchases",
    schema=SCHEMA,
    parse=parse_purchase,
    subject_of=subject_of_purchase,
    example=EXAMPLE_PURCHASE,
    changes=frozenset({("active", "refunded"), ("active", "superseded")}),
)
