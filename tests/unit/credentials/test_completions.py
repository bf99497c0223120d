"""The kind completion/v1: what it takes, and what it says about everything else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ledger_service.credentials.completions import (
    COMPLETION,
    EXAMPLE_COMPLETION,
    SCHEMA,
    parse_completion,
    subject_of_completion,
)
from ledger_service.errors import InvalidPayloadError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEAST = {"certificate_number": "AAA-2013J-28400", "learner": "28400", "course": "AAA"}


def problems_of(payload: dict[str, Any]) -> set[str]:
    """The fields that a payload is refused for."""
    with pytest.raises(InvalidPayloadError) as refused:
        parse_completion(payload, NOW)
    listed: Any = refused.value.details["fields"]
    return {each["field"] for each in listed}


def test_example_is_taken() -> None:
    """The example has every field; the learner is the subject, the certificate number the reference."""
    parsed = parse_completion(EXAMPLE_COMPLETION, NOW)
    assert parsed.private == EXAMPLE_COMPLETION
    assert set(EXAMPLE_COMPLETION) == set(SCHEMA.private)
    assert (parsed.public, parsed.subject, parsed.reference) == ({}, "learner-11391", "AAA-2014J-11391")


def test_nothing_is_public() -> None:
    """A completion shows nobody anything but that it exists."""
    assert SCHEMA.public == ()
    assert COMPLETION.schema is SCHEMA


def test_results_without_dates_are_taken() -> None:
    """A result of which only person, course and number are known is taken; what is unknown is absent, not null."""
    assert parse_completion(LEAST, NOW).private == LEAST
    assert problems_of(LEAST | {"issued_at": None}) == {"issued_at"}


@pytest.mark.parametrize("field", sorted(LEAST))
def test_required_fields_are_named_when_missing(field: str) -> None:
    """Each required field that is missing is named, and nothing else is."""
    assert problems_of({name: value for name, value in LEAST.items() if name != field}) == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in LEAST for value in ("", " a", "a\nb", "a\u202eb", "\ud800", 7, None)],
        *[("result", value) for value in ("Pass", "", "pass now", 1)],
        *[("score", value) for value in (-1, 1.5, True, "86", 1_000_001)],
        *[("score_max", value) for value in (0, "100", None)],
        *[("completed_on", value) for value in ("2026-02-30", "20260630", "2026-11-24", "2026-6-30", 0)],
        *[("issued_at", value) for value in ("2026-11-23T00:00:00Z", "1969-12-31T23:59:59Z", "2026-07-14")],
        *[("valid_until", value) for value in ("soon", "2031-07-14T09:00:00+00:00", 2031)],
        *[("workload_hours", value) for value in (0, 100_001, 1.0)],
        ("course_title", "x" * 257),
    ],
)
def test_bad_values_are_refused_by_field(field: str, value: object) -> None:
    """A value out of its bounds is refused and the field is named."""
    assert problems_of(EXAMPLE_COMPLETION | {field: value}) == {field}


def test_a_score_says_of_how_many() -> None:
    """A score without the best possible one means nothing, and none is over it."""
    assert problems_of(LEAST | {"score": 5}) == problems_of(LEAST | {"score_max": 5}) == {"score"}
    assert problems_of(LEAST | {"score": 6, "score_max": 5}) == {"score"}


def test_a_certificate_ends_after_it_began() -> None:
    """A validity that ends before the certificate was issued is refused; one in the future is the point of it."""
    assert problems_of(EXAMPLE_COMPLETION | {"valid_until": "2026-07-14T09:00:00Z"}) == {"valid_until"}
    assert parse_completion(LEAST | {"valid_until": "2099-01-01T00:00:00Z"}, NOW)


def test_unknown_fields_are_refused() -> None:
    """A field that the kind does not have is refused: a name or a birthday has no place."""
    assert problems_of(LEAST | {"name": "A. Person", "born_on": "1990-01-01"}) == {"name", "born_on"}


def test_subject_is_found_before_validation() -> None:
    """The subject of a payload is its learner, before validation too, or None where that would be refused."""
    assert subject_of_completion({"learner": "l-1", "rubbish": 1}) == "l-1"
    assert [subject_of_completion(each) for each in ({}, {"learner": 7})] == [None, None]
