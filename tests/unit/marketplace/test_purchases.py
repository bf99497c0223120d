"""The kind purchase/v1: what it takes, and what it says about everything else."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.errors import InvalidPayloadError
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.marketplace.purchases import (
    EXAMPLE_PURCHASE,
    MOST_ITEMS,
    PURCHASE,
    SCHEMA,
    parse_purchase,
    subject_of_purchase,
)
from ledger_service.proofs.canonical import MAX_INTEGER, encode

if TYPE_CHECKING:
    import random

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_WORDS: list[Any] = ["", " a", "a ", "a\nb", "a\u202eb", "\ud800", 7, None, ["a"]]
NO_TIMES: list[Any] = [
    "2026-11-22",
    "2026-11-22T01:02:03+00:00",
    "2026-02-30T00:00:00Z",
    "2026-11-22t01:02:03z",
    "2026-11-22T01:02:03.5Z",
    "2026-W01-1T00:00:00Z",
    "\uff12026-11-22T01:02:03Z",
    "1969-12-31T23:59:59Z",
    "2026-11-22T12:05:01Z",
    0,
    None,
]
NO_LISTS: list[Any] = [[], {}, "a", None, [{"sku": "A", "quantity": 1, "amount_minor": 5}] * (MOST_ITEMS + 1)]
ITEM = {"sku": "A", "quantity": 1, "amount_minor": 5}


def problems_of(payload: dict[str, Any]) -> dict[str, str]:
    """The problems that a payload is refused for, by field."""
    with pytest.raises(InvalidPayloadError) as refused:
        parse_purchase(payload, NOW)
    listed: Any = refused.value.details["fields"]
    return {each["field"]: each["problem"] for each in listed}


def test_example_is_taken() -> None:
    """The documents' example is valid: its buyer is the subject, its order number the reference."""
    parsed = parse_purchase(EXAMPLE_PURCHASE, NOW)
    assert parsed.private == EXAMPLE_PURCHASE
    assert (parsed.public, parsed.subject, parsed.reference) == ({}, "customer-8805", "2026-004711")
    assert set(EXAMPLE_PURCHASE) == set(SCHEMA.private)


def test_all_fields_are_private() -> None:
    """Nothing about a purchase is public."""
    assert SCHEMA.public == ()
    assert PURCHASE.schema is SCHEMA


def test_adjustment_may_be_missing() -> None:
    """Without an adjustment the amount is the sum of the items, and no null stands for the missing field."""
    payload = {k: v for k, v in EXAMPLE_PURCHASE.items() if k != "adjustment_minor"} | {"amount_minor": 4848}
    assert "adjustment_minor" not in parse_purchase(payload, NOW).private


@pytest.mark.parametrize("field", sorted(set(EXAMPLE_PURCHASE) - {"adjustment_minor"}))
def test_required_fields_are_named_when_missing(field: str) -> None:
    """Each required field that is missing is named, and nothing else is."""
    payload = {k: v for k, v in EXAMPLE_PURCHASE.items() if k != field}
    assert problems_of(payload) == {field: "is missing"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in ("buyer", "order_number") for value in NO_WORDS],
        ("buyer", "x" * 129),
        ("order_number", "x" * 65),
        *[("channel", value) for value in ("", "Web", "a b", "-web", "x" * 33, 1, None)],
        *[("currency", value) for value in ("", "usd", "US", "XXX", "DEM", "BGN", 840, None)],
        *[("paid_at", value) for value in NO_TIMES],
        *[("amount_minor", value) for value in (-1, 4500.0, "4500", True, None, MAX_INTEGER + 1)],
        *[("adjustment_minor", value) for value in (1.0, "1", False, None, 2**53, -(2**53))],
        *[("items", value) for value in NO_LISTS],
    ],
)  # fmt: skip
def test_bad_values_are_refused_by_field(field: str, value: object) -> None:
    """A value out of its bounds is refused, the field is named and the value is not repeated."""
    problems = problems_of(EXAMPLE_PURCHASE | {field: value})
    assert set(problems) == {field}
    assert not isinstance(value, str) or len(value) <= 10 or value not in problems[field]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (7, "items[1]"),
        ({**ITEM, "sku": ""}, "items[1].sku"),
        ({**ITEM, "quantity": 0}, "items[1].quantity"),
        ({**ITEM, "quantity": True}, "items[1].quantity"),
        ({**ITEM, "quantity": 1.5}, "items[1].quantity"),
        ({**ITEM, "quantity": 10**9 + 1}, "items[1].quantity"),
        ({**ITEM, "amount_minor": -1}, "items[1].amount_minor"),
        ({**ITEM, "amount_minor": "5"}, "items[1].amount_minor"),
        ({**ITEM, "colour": "red"}, "items[1].colour"),
        ({"sku": "A", "quantity": 1}, "items[1].amount_minor"),
    ],
)
def test_bad_items_are_refused_by_place(item: object, field: str) -> None:
    """A bad item is named by its place in the list and its field."""
    assert set(problems_of(EXAMPLE_PURCHASE | {"items": [ITEM, item], "amount_minor": 5})) == {field}


def test_unknown_fields_are_refused() -> None:
    """A field that the kind does not have is refused, and a name that is none is not repeated."""
    problems = problems_of(EXAMPLE_PURCHASE | {"note": "hello", "<script>": 1})
    assert problems == {"note": "is not known", "?": "is not known"}


def test_amount_must_be_the_sum() -> None:
    """The amount is the sum of the items and the adjustment, to the last minor unit."""
    assert set(problems_of(EXAMPLE_PURCHASE | {"amount_minor": 4501})) == {"amount_minor"}


def test_all_problems_are_told_together() -> None:
    """A writer learns of several mistakes at once, and of twenty at the most."""
    assert len(problems_of({"buyer": "", "items": [{}], "zzz": 1})) > 5
    assert len(problems_of(EXAMPLE_PURCHASE | {f"f{i}": i for i in range(100)})) == 20


def test_clocks_may_differ_a_little() -> None:
    """A payment up to five minutes ahead of our clock is taken, for a shop's clock may be ahead."""
    ahead = (NOW + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert parse_purchase(EXAMPLE_PURCHASE | {"paid_at": ahead}, NOW).private["paid_at"] == ahead


def test_largest_amounts_fit() -> None:
    """Amounts go up to 2^53 - 1, and sums beyond it may come back by the adjustment."""
    items = [ITEM | {"amount_minor": MAX_INTEGER}] * 2
    payload = EXAMPLE_PURCHASE | {
        "items": items,
        "adjustment_minor": -MAX_INTEGER,
        "amount_minor": MAX_INTEGER,
    }
    assert parse_purchase(payload, NOW).private["amount_minor"] == MAX_INTEGER


def test_what_is_taken_has_a_canonical_form(rng: random.Random) -> None:
    """Whatever random payload is taken can be encoded canonically, and anything else is refused in words."""
    words = ["a", "é", "漢字", "x\u0000", "🙂", "\ud800", "", "web", "USD", "2026-11-20T14:03:07Z"]
    numbers = [0, 1, -1, MAX_INTEGER, 2**60, 1.5, True, None]
    for _ in range(2_000):
        payload: dict[str, Any] = dict(EXAMPLE_PURCHASE)
        for name in rng.sample(sorted(payload), 2):
            payload[name] = rng.choice([*words, *numbers, [], [ITEM], {}])
        taken = None
        with suppress(InvalidPayloadError):
            taken = parse_purchase(payload, NOW)
        assert taken is None or encode(taken.private)


def test_subject_is_found_before_validation() -> None:
    """The subject of a payload is its buyer, before validation too, or None where that would be refused."""
    assert subject_of_purchase({"buyer": "c-1", "rubbish": 1}) == "c-1"
    assert [subject_of_purchase(each) for each in ({}, {"buyer": 7}, {"buyer": ""})] == [None, None, None]


def test_currencies_know_their_minor_units() -> None:
    """The table holds current codes with the number of decimals of each."""
    assert (MINOR_UNITS["USD"], MINOR_UNITS["JPY"], MINOR_UNITS["KWD"], MINOR_UNITS["CLF"]) == (2, 0, 3, 4)
    assert len(MINOR_UNITS) == 165
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNITS)
