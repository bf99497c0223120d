"""Schemas of kinds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from hashlib import sha256

import pytest
from hypothesis import given

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import encode, encode_base64url
from ledger_service.proofs.schema import Schema, format_schema, parse_schema, schema_hash
from tests.unit.proofs.strategies import schemas
from tests.unit.proofs.vectors import read_vectors


@given(schemas())
def test_round_trip(schema: Schema) -> None:
    """A schema is read back from its text, and its hash is that of the text."""
    data = format_schema(schema)
    assert parse_schema(data) == schema
    assert schema_hash(schema) == sha256(data).digest()
    assert schema.hash_text == encode_base64url(schema_hash(schema))
    assert schema.private_json == encode(list(schema.private))


def test_vector() -> None:
    """The schema of a purchase has the stored text and hash."""
    vector = read_vectors("record")["schema"]
    schema = parse_schema(vector["text"].encode())
    assert schema_hash(schema).hex() == vector["hash"]
    assert format_schema(schema).decode() == vector["text"]


@pytest.mark.parametrize(
    ("kind", "private", "public"),
    [
        ("purchase", (), ()),
        ("purchase/v0", (), ()),
        ("purchase/v01", (), ()),
        ("Purchase/v1", (), ()),
        ("purchase/v1\n", (), ()),
        ("a/v1", ("b", "a"), ()),
        ("a/v1", ("a", "a"), ()),
        ("a/v1", ("A",), ()),
        ("a/v1", ("1a",), ()),
        ("a/v1", ("_a",), ()),
        ("a/v1", ("",), ()),
        ("a/v1", ("a" * 65,), ()),
        ("a/v1", ("a",), ("a",)),
        ("a/v1", (), ("b", "a")),
        ("a/v1", tuple(f"f{number:03}" for number in range(257)), ()),
    ],
)
def test_impossible_schemas(kind: str, private: tuple[str, ...], public: tuple[str, ...]) -> None:
    """No schema exists whose kind or names are malformed, out of order, doubled, or too many."""
    with pytest.raises(MalformedError):
        Schema(kind, private, public)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"v": "audit-ledger/schema/v2", "kind": "a/v1", "private": [], "public": []},
        {"v": "audit-ledger/schema/v1", "kind": "a/v1", "private": []},
        {"v": "audit-ledger/schema/v1", "kind": "a/v1", "private": [], "public": [], "extra": 1},
        {"v": "audit-ledger/schema/v1", "kind": 1, "private": [], "public": []},
        {"v": "audit-ledger/schema/v1", "kind": "a/v1", "private": {}, "public": []},
        {"v": "audit-ledger/schema/v1", "kind": "a/v1", "private": [1], "public": []},
    ],
)
def test_other_documents(value: object) -> None:
    """Another version, a missing or additional member, and members of another type are refused."""
    with pytest.raises(MalformedError):
        parse_schema(encode(value))  # type: ignore[arg-type]


def test_values_cannot_change() -> None:
    """A schema is a value: nothing about it can be set."""
    with pytest.raises(FrozenInstanceError):
        Schema("a/v1", ("a",), ()).kind = "b/v1"  # type: ignore[misc]
