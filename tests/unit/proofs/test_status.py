"""Status statements: their history, their form and their signature."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from ledger_service.errors import CouldNotCheckError, MalformedError, SignatureError
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.note import ALG_ED25519, make_vkey
from ledger_service.proofs.status import (
    ACTIVE,
    AsOf,
    OtherProof,
    StatusChange,
    StatusStatement,
    check_signed_status,
    find_change,
    format_status,
    parse_status,
    status_message,
)
from ledger_service.proofs.types import LeafHash, LeafIndex, TreeSize
from tests.support.evidence_factory import START, EvidenceFactory
from tests.unit.proofs.strategies import statements

FACTORY = EvidenceFactory(records=10)


def day(number: int) -> Any:
    """Midnight-like moments, a day apart."""
    return START + timedelta(days=number)


def change(state: str, *, since: int, known: int, index: int) -> StatusChange:
    """A change on one day, recorded on another."""
    return StatusChange(state, day(since), day(known), "because", LeafIndex(index))


SUSPENDED = change("suspended", since=5, known=6, index=4)
REINSTATED = change(ACTIVE, since=10, known=10, index=5)
BACKDATED = change("revoked", since=3, known=20, index=7)
STATEMENT = FACTORY.status(3, SUSPENDED, REINSTATED, time=day(30))


@given(statements())
def test_round_trip(statement: StatusStatement) -> None:
    """Every consistent statement is read back from its JSON, whatever proof it has."""
    assert parse_status(decode(encode(format_status(statement)))) == statement


@pytest.mark.parametrize(
    ("at", "known_at", "state"),
    [
        (0.5, 30, ACTIVE), (5, 30, "suspended"), (7, 30, "suspended"), (10, 30, ACTIVE), (30, 30, ACTIVE),
        (5, 5.5, ACTIVE), (7, 6, "suspended"), (30, 9, "suspended"), (-1, 30, None), (5, -1, None),
    ],
)  # fmt: skip
def test_effective_and_known(at: float, known_at: float, state: str | None) -> None:
    """The state at a date is the last one known at the other date that was in force by then."""
    found = find_change(STATEMENT, at=START + timedelta(days=at), known_at=START + timedelta(days=known_at))
    assert (found and found.state) == state


def test_backdated_change() -> None:
    """A change recorded later with an earlier effect counts from when it became known, and not before."""
    statement = FACTORY.status(3, SUSPENDED, REINSTATED, BACKDATED, time=day(30))
    before = find_change(statement, at=day(12), known_at=day(19))
    after = find_change(statement, at=day(12), known_at=day(20))
    assert before is not None
    assert after is not None
    assert (before.state, after.state) == (ACTIVE, "revoked")


def test_announced_change() -> None:
    """A change announced for later is not in force yet, and the outer state says so."""
    future = change("withdrawn", since=40, known=20, index=8)
    statement = FACTORY.status(3, future, time=day(30))
    assert format_status(statement)["state"] == ACTIVE


def test_signature() -> None:
    """The status key's signature over the statement verifies; one over anything else does not."""
    assert check_signed_status(STATEMENT, [FACTORY.status_vkey]) == FACTORY.status_vkey
    for changed in (
        replace(STATEMENT, history=STATEMENT.history[:1]),
        replace(STATEMENT, as_of=replace(STATEMENT.as_of, time=day(31))),
        replace(STATEMENT, as_of=replace(STATEMENT.as_of, size=TreeSize(11))),
        replace(STATEMENT, pointer=replace(STATEMENT.pointer, leaf=LeafHash(bytes(32)))),
    ):
        with pytest.raises(SignatureError):
            check_signed_status(changed, [FACTORY.status_vkey])


def test_unknown_and_foreign_keys() -> None:
    """A key that is not listed, and a listed key of another name, cannot be checked."""
    with pytest.raises(CouldNotCheckError):
        check_signed_status(STATEMENT, [])
    public = FACTORY.status_vkey.public_key
    foreign = make_vkey("other.example/status", alg=ALG_ED25519, public_key=public)
    line = replace(STATEMENT, proof=replace(STATEMENT.proof, key=f"{foreign.name}+{foreign.key_id.hex()}"))  # type: ignore[type-var]
    with pytest.raises(CouldNotCheckError):
        check_signed_status(line, [foreign])
    with pytest.raises(CouldNotCheckError):
        check_signed_status(replace(STATEMENT, proof=OtherProof("chain", {})), [FACTORY.status_vkey])


def test_message_has_its_own_domain() -> None:
    """What the status key signs begins with its version and holds no proof."""
    message = status_message(STATEMENT)
    assert message.startswith(b"audit-ledger/status/v1\x00{")
    assert message == status_message(replace(STATEMENT, proof=None))


def test_statement_without_proof() -> None:
    """A statement that nothing proves is not written."""
    with pytest.raises(MalformedError):
        format_status(replace(STATEMENT, proof=None))


@pytest.mark.parametrize(
    "history",
    [
        (), (SUSPENDED,), (STATEMENT.history[0], REINSTATED, SUSPENDED),
        (STATEMENT.history[0], SUSPENDED, replace(REINSTATED, index=LeafIndex(4))),
        (STATEMENT.history[0], replace(SUSPENDED, known=START - timedelta(days=1))),
        (replace(STATEMENT.history[0], state="unknown"),), (replace(STATEMENT.history[0], reason=""),),
        (replace(STATEMENT.history[0], reason="Free text"),), (replace(STATEMENT.history[0], since=day(31)),),
        (replace(STATEMENT.history[0], known=day(31)),),
    ],
)  # fmt: skip
def test_impossible_histories(history: tuple[StatusChange, ...]) -> None:
    """A history that is empty, begins elsewhere, is out of order, or not in force yet is refused."""
    with pytest.raises(MalformedError):
        replace(STATEMENT, history=history)


def edited(**changes: Any) -> Any:
    """The statement's JSON with members replaced, added, or (given `type`) dropped."""
    value: Any = decode(encode(format_status(STATEMENT)))
    for name, new in changes.items():
        value[name] = new
        if new is type:
            del value[name]
    return value


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "revoked"}, {"since": "2026-11-23T01:02:03Z"}, {"reason": "other"}, {"index": 4},
        {"index": -1},
        {"index": "3"}, {"leaf": "AA"}, {"log": "a b"}, {"history": []}, {"history": {}}, {"history": [1]},
        {"as_of": None}, {"as_of": {"size": 10, "root": "A" * 43}}, {"proof": None}, {"proof": {}},
        {"proof": {"type": "signed", "key": "x", "sig": "A"}},
        {"proof": {"type": "word", "key": "a+01234567", "sig": "AA"}},
        {"proof": {"type": "signed", "key": "a+01234567", "sig": "AA"}}, {"proof": {"type": ["map"]}},
        {"proof": type},
        {"extra": 1},
    ],
    ids=str,
)  # fmt: skip
def test_other_documents(changes: dict[str, Any]) -> None:
    """An outer state other than the history's, and any malformed member, is refused."""
    with pytest.raises(MalformedError):
        parse_status(edited(**changes))


def test_as_of_is_a_value() -> None:
    """Two statements of one tree head are equal in it."""
    assert STATEMENT.as_of == AsOf(FACTORY.size, FACTORY.root_at(10), day(30))
