"""The kind `purchase/v1`: one paid order of one customer.

All fields are private. The buyer is the platform's own reference for a customer, never a name or an
address, and is the data subject; the order number is the reference under which the platform finds the
record again. Money is in minor units of its currency: 1234 is 12.34 USD and 1234 JPY.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.proofs.canonical import MAX_INTEGER
from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import FieldProblem, Kind, ParsedRecord, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
from contextlib import suppress

MOST_ITEMS: Final = 1_000
MOST_PIECES: Final = 1_000_000_000
LONGEST_BUYER: Final = 128
LONGEST_WORD: Final = 64
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A shop's clock may be a little ahead of ours.
MOST_AHEAD: Final = timedelta(minutes=5)

_REQUIRED: Final = frozenset(
    {"amount_minor", "buyer", "channel", "currency", "items", "order_number", "paid_at"}
)
_FIELDS: Final = _REQUIRED | {"adjustment_minor"}
_ITEM_FIELDS: Final = frozenset({"amount_minor", "quantity", "sku"})
_CHANNEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)

SCHEMA: Final = Schema(kind="purchase/v1", private=tuple(sorted(_FIELDS)), public=())

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
    problems: list[FieldProblem] = []
    if not _REQUIRED <= payload.keys() <= _FIELDS:
        _refuse_names(payload, required=_REQUIRED, known=_FIELDS, at="", problems=problems)
    buyer = payload.get("buyer")
    if not _is_word(buyer, LONGEST_BUYER) and "buyer" in payload:
        problems.append(_word_problem("buyer", LONGEST_BUYER))
    order_number = payload.get("order_number")
    if not _is_word(order_number, LONGEST_WORD) and "order_number" in payload:
        problems.append(_word_problem("order_number", LONGEST_WORD))
    _check_codes(payload, problems)
    _check_paid_at(payload, now, problems)
    _check_amounts(payload, problems)
    if problems:
        raise refuse(problems)
    return ParsedRecord(
        private=dict(cast("Mapping[str, Any]", payload)),
        public={},
        subject=cast("str", buyer),
        reference=cast("str", order_number),
    )


def subject_of_purchase(payload: Mapping[str, object]) -> str | None:
    """The buyer, if it is one that `parse_purchase` would take."""
    buyer = payload.get("buyer")
    return cast("str", buyer) if _is_word(buyer, LONGEST_BUYER) else None


def _is_word(value: object, longest: int) -> bool:
    # isprintable() is false for control characters, line ends, bidirectional marks and lone surrogates.
    return type(value) is str and 0 < len(value) <= longest and value.isprintable() and value.strip() == value


def _word_problem(field: str, longest: int) -> FieldProblem:
    return {
        "field": field,
        "problem": f"must be 1 to {longest} printable characters without space at either end",
    }


def _refuse_names(
    value: Mapping[str, object],
    *,
    required: frozenset[str],
    known: frozenset[str],
    at: str,
    problems: list[FieldProblem],
) -> None:
    problems.extend({"field": at + name, "problem": "is missing"} for name in sorted(required - value.keys()))
    # Names come from outside: only what could be a field name is repeated.
    problems.extend(
        {
            "field": at + (name if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name, re.ASCII) else "?"),
            "problem": "is not known",
        }
        for name in sorted(value.keys() - known)
    )


def _check_codes(payload: Mapping[str, object], problems: list[FieldProblem]) -> None:
    channel = payload.get("channel")
    if "channel" in payload and not (type(channel) is str and _CHANNEL.fullmatch(channel)):
        problems.append({"field": "channel", "problem": "must be 1 to 32 of a-z, 0-9, _ and -, such as web"})
    currency = payload.get("currency")
    if "currency" in payload and not (type(currency) is str and currency in MINOR_UNITS):
        problems.append({"field": "currency", "problem": "must be a current ISO 4217 code such as USD"})


def _check_paid_at(payload: Mapping[str, object], now: datetime, problems: list[FieldProblem]) -> None:
    text = payload.get("paid_at")
    if "paid_at" not in payload:
        return
    paid_at = None
    if type(text) is str and _TIME.fullmatch(text):
        # The shape is right; the calendar may still not have such a day.
        with suppress(ValueError):
            paid_at = datetime.fromisoformat(text)
    if paid_at is None:
        problems.append({"field": "paid_at", "problem": "must be a time in UTC such as 2026-11-22T01:02:03Z"})
    elif not EARLIEST <= paid_at <= now + MOST_AHEAD:
        problems.append({"field": "paid_at", "problem": "must lie between 1970 and now"})


def _check_amounts(payload: Mapping[str, object], problems: list[FieldProblem]) -> None:
    before = len(problems)
    complete = "items" in payload and "amount_minor" in payload
    total = _sum_items(payload, problems)
    adjustment = payload.get("adjustment_minor", 0)
    if not _is_integer(adjustment, -MAX_INTEGER, MAX_INTEGER):
        problems.append(_integer_problem("adjustment_minor", -MAX_INTEGER, MAX_INTEGER))
    amount = payload.get("amount_minor")
    if "amount_minor" in payload and not _is_integer(amount, 0, MAX_INTEGER):
        problems.append(_integer_problem("amount_minor", 0, MAX_INTEGER))
    if complete and len(problems) == before and amount != total + cast("int", adjustment):
        problems.append(
            {"field": "amount_minor", "problem": "must be the sum of the items and adjustment_minor"}
        )


def _sum_items(payload: Mapping[str, object], problems: list[FieldProblem]) -> int:
    items = payload.get("items")
    if "items" not in payload:
        return 0
    if type(items) is not list or not 1 <= len(items) <= MOST_ITEMS:
        problems.append({"field": "items", "problem": f"must be a list of 1 to {MOST_ITEMS} items"})
        return 0
    total = 0
    for position, item in enumerate(items):
        if type(item) is dict and item.keys() == _ITEM_FIELDS:
            sku, quantity, amount = item["sku"], item["quantity"], item["amount_minor"]
            # bool is an int to isinstance, not to type().
            if (
                type(quantity) is int and 1 <= quantity <= MOST_PIECES
                and type(amount) is int and 0 <= amount <= MAX_INTEGER
                and _is_word(sku, LONGEST_WORD)
            ):  # fmt: skip
                total += amount
                continue
        _explain_item(item, at=f"items[{position}]", problems=problems)
    return total


def _explain_item(item: object, *, at: str, problems: list[FieldProblem]) -> None:
    if type(item) is not dict:
        problems.append({"field": at, "problem": "must be an object with sku, quantity and amount_minor"})
        return
    _refuse_names(item, required=_ITEM_FIELDS, known=_ITEM_FIELDS, at=f"{at}.", problems=problems)
    if "sku" in item and not _is_word(item["sku"], LONGEST_WORD):
        problems.append(_word_problem(f"{at}.sku", LONGEST_WORD))
    for name, least, most in (("quantity", 1, MOST_PIECES), ("amount_minor", 0, MAX_INTEGER)):
        if name in item and not _is_integer(item[name], least, most):
            problems.append(_integer_problem(f"{at}.{name}", least, most))


def _is_integer(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _integer_problem(field: str, least: int, most: int) -> FieldProblem:
    return {"field": field, "problem": f"must be a whole number from {least} to {most}"}


PURCHASE: Final = Kind(
    name="purchase/v1",
    collection="purchases",
    schema=SCHEMA,
    parse=parse_purchase,
    subject_of=subject_of_purchase,
)
