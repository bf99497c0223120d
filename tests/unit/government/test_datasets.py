"""The kind dataset/v1: what it takes, what it keeps private, and what only a choice publishes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ledger_service.errors import InvalidPayloadError
from ledger_service.government.datasets import DATASET, EXAMPLE_DATASET, SCHEMA, parse_dataset

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIGEST = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
FULL = EXAMPLE_DATASET | {"file_sm3": DIGEST, "row_root": DIGEST}


def problems_of(payload: dict[str, Any]) -> set[str]:
    """The fields that a payload is refused for."""
    with pytest.raises(InvalidPayloadError) as refused:
        parse_dataset(payload, NOW)
    listed: Any = refused.value.details["fields"]
    return {each["field"] for each in listed}


def test_everything_is_private_by_default() -> None:
    """Without a choice nothing about a data set is public; there is no subject, its number is the reference."""
    for payload in (FULL, FULL | {"publish_digest": False}):
        parsed = parse_dataset(payload, NOW)
        assert (parsed.private, parsed.public, parsed.subject) == (FULL, {}, None)
    assert parsed.reference == "air-quality-2026-q1"
    assert set(FULL) == set(SCHEMA.private)


def test_digests_become_public_by_choice() -> None:
    """Who asks for it publishes digests and size, and nothing else; they are then not among the private fields."""
    parsed = parse_dataset(FULL | {"publish_digest": True}, NOW)
    assert parsed.public == {
        "published_sha256": DIGEST,
        "published_sm3": DIGEST,
        "published_size_bytes": FULL["size_bytes"],
    }
    assert parsed.private.keys() == FULL.keys() - {"file_sha256", "file_sm3", "size_bytes"}
    assert set(parsed.public) == set(SCHEMA.public)


@pytest.mark.parametrize("field", ["dataset_number", "file_sha256", "size_bytes", "title"])
def test_required_fields_are_named_when_missing(field: str) -> None:
    """Each required field that is missing is named, and nothing else is."""
    assert problems_of({name: value for name, value in FULL.items() if name != field}) == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            (name, value)
            for name in ("file_sha256", "file_sm3", "row_root")
            for value in ("", DIGEST[:-1], DIGEST + "=", DIGEST[:-1] + "V", "e3b0c442" * 8, "é" * 43, 7, None)
        ],
        *[(name, value) for name in ("size_bytes", "rows") for value in (-1, 1.5, True, "7", 2**53)],
        *[("media_type", value) for value in ("csv", "Text/CSV", "text/", "text/csv; charset=utf-8", 1)],
        *[("title", value) for value in ("", " a", "a\nb", "x" * 257)],
        ("publish_digest", "yes"),
        ("publish_digest", 1),
    ],
)
def test_bad_values_are_refused_by_field(field: str, value: object) -> None:
    """A value out of its form or bounds is refused and the field is named."""
    assert problems_of(FULL | {field: value}) == {field}


def test_a_row_root_says_of_how_many_rows() -> None:
    """The root of a tree means nothing without the number of its leaves."""
    assert problems_of({name: value for name, value in FULL.items() if name != "rows"}) == {"rows"}


def test_no_subject() -> None:
    """No field of a data set names a person whose key would seal it."""
    assert DATASET.subject_of(FULL) is None
    assert parse_dataset(FULL, NOW).subject is None
