"""Canonical JSON, base64url and time."""

from __future__ import annotations

import enum
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import (
    MAX_DEPTH,
    decode,
    decode_base64url,
    encode,
    encode_base64url,
    format_time,
    parse_time,
)
from tests.unit.proofs.strategies import json_values, keys, scalars, times
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from ledger_service.proofs.canonical import JsonValue

VECTORS = read_vectors("canonical")


class _Colour(enum.StrEnum):
    RED = "red"


class _Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize("text", VECTORS["texts"])
def test_canonical_texts_are_their_own_encoding(text: str) -> None:
    """A text in canonical form is what its own value encodes to."""
    assert encode(decode(text.encode())) == text.encode()


@pytest.mark.parametrize("case", VECTORS["sorted"], ids=lambda case: case["text"])
def test_members_are_sorted(case: dict[str, str]) -> None:
    """Members are written in ascending order of their keys, whatever order they came in."""
    assert encode(case["value"]) == case["text"].encode()


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["why"])
def test_everything_else_is_refused(case: dict[str, str]) -> None:
    """A text that is not the one form of its value is refused, never put right."""
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()
    with pytest.raises(MalformedError):
        decode(data)


@pytest.mark.parametrize(
    "value",
    [
        1.5, float("nan"), 2**53, -(2**53), b"bytes", {1: 2}, {None: 1}, {"a": {"B": 1}}, {"a": {1, 2}},
        "\ud800",
        ["\udfff"], {"\ud800": 1}, _Colour.RED, _Number.ONE, {"a-b": 1}, {"a,b": 1}, {"a": object()},
    ],
    ids=repr,
)  # fmt: skip
def test_values_without_canonical_form(value: JsonValue) -> None:
    """What the restriction leaves out has no encoding, subclasses of str and int included."""
    with pytest.raises(MalformedError):
        encode(value)


def test_depth_is_bounded_both_ways() -> None:
    """32 containers are written and read, 33 are not."""
    value: JsonValue = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(MalformedError):
        encode([value])
    with pytest.raises(MalformedError):
        decode(b"[" * 33 + b"]" * 33)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["[",', b'["\\"",'])
def test_hostile_nesting_is_refused_before_parsing(opening: bytes) -> None:
    """Nesting of 10,000 is refused as malformed, not by running out of stack."""
    with pytest.raises(MalformedError):
        decode(opening * 10_000)


def test_brackets_within_strings_do_not_count() -> None:
    """Brackets in a string are text, not depth; an unterminated string ends the scan."""
    text = "[" * 100 + '\\"' + "]}{"
    assert decode(encode([text, "{" * 50])) == [text, "{" * 50]
    with pytest.raises(MalformedError):
        decode(b'["' + b"[" * 100)


@given(json_values(30))
def test_json_round_trip(value: JsonValue) -> None:
    """Every value is read back from its encoding."""
    assert decode(encode(value)) == value


@given(json_values(30))
def test_same_bytes_as_rfc8785(value: JsonValue) -> None:
    """Another implementation of RFC 8785 writes the same bytes."""
    assert encode(value) == rfc8785.dumps(value)


@given(st.dictionaries(keys, scalars))
def test_only_one_spelling_is_accepted(value: dict[str, JsonValue]) -> None:
    """Of all spellings that the standard library can write, only the canonical one decodes."""
    for options in ({"indent": 1}, {"separators": (", ", ":")}, {"ensure_ascii": True}):
        text = json.dumps(value, **options).encode()
        if text == encode(value):
            continue
        with pytest.raises(MalformedError):
            decode(text)


@given(st.binary(max_size=80))
def test_decode_never_fails_otherwise(data: bytes) -> None:
    """Any bytes either decode to a value of exactly these bytes or are malformed."""
    try:
        value = decode(data)
    except MalformedError:
        return
    assert encode(value) == data


@given(st.binary(max_size=70))
def test_base64url_round_trip(data: bytes) -> None:
    """Bytes are read back from base64url, which has neither padding nor + and /."""
    text = encode_base64url(data)
    assert decode_base64url(text) == data
    assert not set(text) & set("+/=")


@pytest.mark.parametrize(
    "text", ["A", "AA==", "AB", "A+8", "A/8", "A A", "AAA\n", "AA=A", "\u00e9A", "AAAAA", "-"]
)
def test_base64url_has_one_form(text: str) -> None:
    """Padding, stray bits, the other alphabet, spaces and impossible lengths are refused."""
    with pytest.raises(MalformedError):
        decode_base64url(text)


def test_base64url_of_a_stated_size() -> None:
    """A value of another length than asked is refused."""
    assert decode_base64url("AAAA", size=3) == bytes(3)
    with pytest.raises(MalformedError):
        decode_base64url("AAAA", size=4)


@given(times)
def test_time_round_trip(value: datetime) -> None:
    """Every second is read back from its text."""
    assert parse_time(format_time(value)) == value


def test_time_looks_like_rfc3339() -> None:
    """Time is RFC 3339 in UTC with Z and whole seconds."""
    assert format_time(datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)) == "2026-11-22T01:02:03Z"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 22, 1, 2, 3),  # noqa: DTZ001 - a naive time is the point
        datetime(2026, 11, 22, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 11, 22, 1, 2, 3, 5, tzinfo=UTC),
    ],
)
def test_other_times_are_not_written(value: datetime) -> None:
    """A naive time, another zone and a fraction of a second are refused."""
    with pytest.raises(MalformedError):
        format_time(value)


@pytest.mark.parametrize("text", read_vectors("malformed")["times"])
def test_other_times_are_not_read(text: str) -> None:
    """Every other spelling of a time is refused."""
    with pytest.raises(MalformedError):
        parse_time(text)
