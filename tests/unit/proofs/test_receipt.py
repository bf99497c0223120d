"""Receipts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger_service.errors import (
    CommitmentError,
    CouldNotCheckError,
    EvidenceError,
    InclusionError,
    LedgerError,
    MalformedError,
)
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.receipt import (
    Opening,
    Receipt,
    as_evidence,
    check_receipt,
    format_receipt,
    parse_receipt,
)
from ledger_service.proofs.schema import Schema
from tests.support.evidence_factory import EvidenceFactory, join_policies

FACTORY, OTHER = EvidenceFactory("acme", records=6), EvidenceFactory("other", records=6)
RECEIPT = FACTORY.receipt(3)
OPENING = RECEIPT.opening
assert OPENING is not None


@pytest.mark.parametrize("receipt", [RECEIPT, replace(RECEIPT, opening=None), FACTORY.receipt(1)])
def test_round_trip(receipt: Receipt) -> None:
    """A receipt is read back from its bytes, with its opening and without."""
    assert parse_receipt(format_receipt(receipt)) == receipt


def test_becomes_evidence() -> None:
    """The holder of a receipt can show every field and the proof; what is no receipt stays as it is."""
    evidence = parse_evidence(as_evidence(format_receipt(RECEIPT) + b"\n"))
    assert evidence.status is None
    assert all(isinstance(item, list) for item in evidence.fields or ())
    for document in (b"", b"nonsense", b"[]", b'{"v":"audit-ledger/receipt/v1"}'):
        assert as_evidence(document) == document
    assert as_evidence(FACTORY.document(2) + b"\n") == FACTORY.document(2)


def test_good_receipt() -> None:
    """A receipt gives its entry and checkpoint, also once erasure took the opening."""
    entry, verified = check_receipt(RECEIPT, policy=FACTORY.policy)
    assert entry == FACTORY.records[3].entry
    assert verified.checkpoint.size == 4
    check_receipt(replace(RECEIPT, opening=None), policy=FACTORY.policy)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"entry": b"x"}, MalformedError),
        ({"entry": FACTORY.records[2].data}, CommitmentError),
        ({"entry": FACTORY.records[2].data, "opening": None}, InclusionError),
        ({"schema": Schema("other/v1", FACTORY.schema.private, ())}, EvidenceError),
        ({"opening": Opening(bytes(32), OPENING.values)}, CommitmentError),
        ({"opening": Opening(OPENING.salt, {**OPENING.values, "amount_minor": 1})}, CommitmentError),
        ({"proof": FACTORY.proof(2, 4)}, InclusionError),
        ({"proof": OTHER.proof(3, 4)}, EvidenceError),
    ],
)
def test_bad_receipt(changes: dict[str, Any], error: type[LedgerError]) -> None:
    """A receipt of which any part belongs to another record or log is refused."""
    with pytest.raises(error):
        check_receipt(replace(RECEIPT, **changes), policy=join_policies([FACTORY, OTHER]))


def test_unknown_log() -> None:
    """Under a policy that does not know the log, a receipt cannot be checked."""
    with pytest.raises(CouldNotCheckError):
        check_receipt(RECEIPT, policy=OTHER.policy)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": "audit-ledger/receipt/v2"}, {"entry": 1}, {"schema": None}, {"opening": []}, {"proof": "x"},
        {"opening": {"salt": "AA", "values": {}}}, {"opening": {"salt": "A" * 43, "values": []}},
        {"extra": 1},
    ],
    ids=str,
)  # fmt: skip
def test_other_documents(changes: dict[str, Any]) -> None:
    """A receipt of another version or with malformed members is refused."""
    value: Any = decode(format_receipt(RECEIPT))
    with pytest.raises(MalformedError):
        parse_receipt(encode({**value, **changes}))
