"""Reading requests strictly."""

from __future__ import annotations

import pytest

from api.parsing import check_idempotency_key, check_query, parse_number
from ledger_service.errors import BadRequestError, DuplicateParameterError, IdempotencyKeyMissingError


@pytest.mark.parametrize("key", ["a", "order-1", "~!", "x" * 255])
def test_good_idempotency_keys_pass(key: str) -> None:
    """Visible ASCII, up to 255 characters."""
    assert check_idempotency_key(key) == key


@pytest.mark.parametrize("key", [None, "", " a", "a b", "a\t", "é", "x" * 256, "a\n"])
def test_bad_idempotency_keys_are_refused(key: str | None) -> None:
    """Anything that two readers could take differently, or nothing, is refused."""
    with pytest.raises(IdempotencyKeyMissingError):
        check_idempotency_key(key)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("9007199254740991", 2**53 - 1)])
def test_good_numbers_pass(text: str, number: int) -> None:
    """A number in its one form."""
    assert parse_number(text, name="from") == number


@pytest.mark.parametrize(
    "text", [None, "", "01", "+1", "-1", " 1", "1_0", "1.0", "1e3", "٣", "9" * 17, "1\n"]
)
def test_numbers_in_another_form_are_refused(text: str | None) -> None:
    """Every other spelling is refused, and the parameter is named."""
    with pytest.raises(BadRequestError, match="from"):
        parse_number(text, name="from")


@pytest.mark.parametrize("query", ["a=1&a=2", "a&a", "a=1&%61=2", "a+b=1&a%20b=2", "a=1&b=1&a="])
def test_doubled_names_are_found_however_they_are_written(query: str) -> None:
    """Names are compared as they are read."""
    with pytest.raises(DuplicateParameterError):
        check_query(query)


@pytest.mark.parametrize("query", ["dryrun=true", "limit=1&dry%5Frun=true", "Dry_run=true", "=1"])
def test_names_that_a_call_does_not_take_are_refused(query: str) -> None:
    """Whoever misspells a parameter is told, instead of getting something done as if it had not been there."""
    check_query("limit=1", known={"limit"})
    with pytest.raises(BadRequestError) as caught:
        check_query(query, known={"limit"})
    assert caught.value.details == {"known": ["limit"]}


@pytest.mark.parametrize("query", ["a=1", "a=1&b=1", "a=a&b=a", "&&a=1", "a=1&A=1"])
def test_single_names_pass(query: str) -> None:
    """A name that stands once is no problem."""
    check_query(query)
    assert query
