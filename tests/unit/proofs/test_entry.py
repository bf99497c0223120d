"""Entries and claims."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.entry import (
    MAX_ENTRY_SIZE,
    Author,
    Claim,
    Entry,
    Pointer,
    claim_digest,
    format_entry,
    format_pointer,
    parse_entry,
    parse_pointer,
)
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, RecordId
from tests.unit.proofs.strategies import entries, pointers
from tests.unit.proofs.vectors import read_vectors

CLAIM = Claim(
    log=Origin("ledger.example/logs/a"),
    org="acme",
    kind="purchase/v1",
    schema=bytes(32),
    id=RecordId("A" * 22),
    commitment=bytes(32),
    target=None,
    previous=None,
    tags=(),
    public={},
)
ENTRY = Entry(CLAIM, datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC))
POINTER = Pointer(CLAIM.log, LeafIndex(1), LeafHash(bytes(32)))


def edited(**changes: Any) -> bytes:
    """The entry's JSON with members of entry or claim replaced, or dropped when given `type`."""
    value: Any = decode(format_entry(ENTRY))
    for name, change in changes.items():
        target = value if name in value and name != "v" else value["claim"]
        target[name] = change
        if change is type:
            del target[name]
    return encode(value)


@given(entries())
def test_round_trip(entry: Entry) -> None:
    """Every entry is read back from its bytes."""
    assert parse_entry(format_entry(entry)) == entry


@given(pointers)
def test_pointer_round_trip(pointer: Pointer) -> None:
    """Every pointer is read back from its JSON."""
    assert parse_pointer(format_pointer(pointer)) == pointer
    assert format_pointer(None) is None


def test_vector() -> None:
    """A purchase has the stored entry bytes, leaf hash and claim digest."""
    vector = read_vectors("record")
    data = vector["entry"]["text"].encode()
    entry = parse_entry(data)
    assert format_entry(entry) == data
    assert leaf_hash(data).hex() == vector["entry"]["leaf"]
    assert claim_digest(entry.claim).hex() == vector["claim_digest"]


def test_authors_sign_the_claim_alone() -> None:
    """Authors sign the claim's canonical bytes, whatever the operator adds around them."""
    value: Any = decode(format_entry(ENTRY))
    assert claim_digest(CLAIM) == sha256(encode(value["claim"])).digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"log": "has space"}, {"log": "a+b"}, {"log": ""}, {"log": "é"}, {"log": "a" * 256},
        {"org": ""}, {"org": "Acme"}, {"org": "-a"}, {"kind": "purchase"}, {"id": "A" * 21}, {"id": "A" * 44},
        {"id": "A" * 21 + "="}, {"id": RecordId("A" * 22 + "\n")}, {"schema": bytes(31)},
        {"commitment": bytes(33)},
        {"tags": (bytes(15),)}, {"tags": (b"b" * 16, b"a" * 16)}, {"tags": (b"a" * 16, b"a" * 16)},
        {"kind": "refund/v1"}, {"kind": "status/v3"}, {"kind": "correction/v1"},
    ],
    ids=repr,
)  # fmt: skip
def test_impossible_claims(changes: dict[str, Any]) -> None:
    """No claim exists with a malformed member, or that needs a target and has none."""
    with pytest.raises(MalformedError):
        replace(CLAIM, **changes)


def test_targeted_kinds_with_target() -> None:
    """A refund that names its purchase is a claim; an erasure's targets are private, so it names none."""
    assert replace(CLAIM, kind="refund/v1", target=POINTER).target == POINTER
    assert replace(CLAIM, kind="erasure/v1").target is None


@pytest.mark.parametrize(
    "changes",
    [
        {"v": "audit-ledger/claim/v2"}, {"v": type}, {"extra": 1}, {"log": 7}, {"org": None}, {"kind": []},
        {"schema": "A" * 42}, {"schema": None}, {"commitment": "AAAA"}, {"commitment": 5}, {"target": {}},
        {"target": {"log": "a", "index": -5, "leaf": "A" * 43}},
        {"target": {"log": "a", "index": 1, "leaf": "AA"}},
        {"target": {"log": "a", "index": True, "leaf": "A" * 43}}, {"previous": "x"}, {"tags": {}},
        {"tags": ["A"]},
        {"tags": [None]}, {"public": []}, {"public": None}, {"accepted": "2026-11-22"}, {"accepted": None},
        {"by": {}}, {"by": [1]}, {"by": [{"key": "A", "alg": "x", "sig": ""}]},
        {"by": [{"key": "AA", "alg": "X Y", "sig": "AA"}]}, {"by": [{"key": "AA", "alg": "x"}]}, {"by": type},
        {"by": [{"key": "AA", "alg": "x", "sig": "AA"}] * 17},
    ],
    ids=repr,
)  # fmt: skip
def test_other_documents(changes: dict[str, Any]) -> None:
    """A member that is missing, additional, malformed or of another type is refused."""
    with pytest.raises(MalformedError):
        parse_entry(edited(**changes))


def test_other_version() -> None:
    """An entry of another version is refused."""
    with pytest.raises(MalformedError):
        parse_entry(format_entry(ENTRY).replace(b"entry/v1", b"entry/v2"))


def test_size_is_bounded() -> None:
    """An entry has to fit a bundle's 16-bit length: 65,535 bytes are written and read, one more is not."""
    room = MAX_ENTRY_SIZE - len(format_entry(replace(ENTRY, claim=replace(CLAIM, public={"note": ""}))))
    largest = replace(ENTRY, claim=replace(CLAIM, public={"note": "a" * room}))
    assert parse_entry(format_entry(largest)) == largest
    with pytest.raises(MalformedError):
        format_entry(replace(ENTRY, claim=replace(CLAIM, public={"note": "a" * (room + 1)})))
    with pytest.raises(MalformedError):
        parse_entry(b"0" * (MAX_ENTRY_SIZE + 1))


def test_signed_entry() -> None:
    """An author's signature travels with the entry."""
    signed = replace(ENTRY, by=(Author(b"key", "ed25519", b"sig"),))
    assert parse_entry(format_entry(signed)).by == signed.by
