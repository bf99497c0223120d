"""Signed acceptances."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.acceptance import (
    Acceptance,
    acceptance_key_name,
    check_acceptance,
    format_acceptance_text,
    parse_acceptance,
)
from ledger_service.proofs.note import ALG_ED25519, Note, Signature, format_note, make_vkey
from ledger_service.proofs.types import LeafHash, Origin
from tests.support.evidence_factory import START, derive
from tests.unit.proofs.strategies import hashes, origins, times
from tests.unit.proofs.vectors import malformed_texts

PRIVATE = Ed25519PrivateKey.from_private_bytes(derive("acceptance"))
ORIGIN = Origin("ledger.example/logs/a")
ACCEPTANCE = Acceptance(ORIGIN, LeafHash(bytes(32)), START, START + timedelta(seconds=60))


def signed(acceptance: Acceptance, *, name: str) -> tuple[bytes, object]:
    """The acceptance signed under a key of this name, and the key."""
    public = PRIVATE.public_key().public_bytes_raw()
    key = make_vkey(name, alg=ALG_ED25519, public_key=public)
    text = format_acceptance_text(acceptance)
    return format_note(Note(text, (Signature(key.name, key.key_id, PRIVATE.sign(text.encode())),))), key


@given(origins, hashes.map(LeafHash), times, times)
def test_round_trip(origin: Origin, leaf: LeafHash, one: object, other: object) -> None:
    """Every acceptance is read back from its text."""
    accepted, sequenced_by = sorted([one, other])  # type: ignore[type-var]
    acceptance = Acceptance(origin, leaf, accepted, sequenced_by)  # type: ignore[arg-type]
    assert parse_acceptance(format_acceptance_text(acceptance)) == acceptance


@pytest.mark.parametrize(("why", "text"), malformed_texts("acceptance"))
def test_other_texts(why: str, text: str) -> None:
    """An acceptance in any other form is refused."""
    assert why
    with pytest.raises(MalformedError):
        parse_acceptance(text)


def test_signed_acceptance() -> None:
    """An acceptance signed by its log's acceptance key is returned."""
    data, key = signed(ACCEPTANCE, name=acceptance_key_name(ORIGIN))
    assert check_acceptance(data, key) == ACCEPTANCE  # type: ignore[arg-type]


def test_key_of_another_log_or_use() -> None:
    """The key of another log, and the log's own checkpoint key, do not sign acceptances for it."""
    for name in (acceptance_key_name("ledger.example/logs/b"), ORIGIN):
        data, key = signed(ACCEPTANCE, name=name)
        with pytest.raises(SignatureError):
            check_acceptance(data, key)  # type: ignore[arg-type]


def test_tampered_acceptance() -> None:
    """A later promise than the signed one is refused."""
    data, key = signed(ACCEPTANCE, name=acceptance_key_name(ORIGIN))
    with pytest.raises(SignatureError):
        check_acceptance(data.replace(b"by 2026", b"by 2027"), key)  # type: ignore[arg-type]


def test_impossible_acceptance() -> None:
    """A promise that lies before the acceptance is not written."""
    with pytest.raises(MalformedError):
        format_acceptance_text(replace(ACCEPTANCE, sequenced_by=START - timedelta(seconds=1)))
