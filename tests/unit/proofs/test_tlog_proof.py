"""Offline proofs of inclusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError
from ledger_service.proofs.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof
from ledger_service.proofs.types import LeafIndex
from tests.support.evidence_factory import EvidenceFactory
from tests.unit.proofs.strategies import hashes
from tests.unit.proofs.vectors import malformed_texts, read_vectors

CHECKPOINT = EvidenceFactory(records=2).note(2)
PROOF = TlogProof(LeafIndex(1), (bytes(32),), CHECKPOINT)


@given(
    st.builds(
        TlogProof,
        st.integers(0, 2**63 - 1).map(LeafIndex),
        st.lists(hashes, max_size=64).map(tuple),
        st.just(CHECKPOINT),
        st.none() | st.binary(max_size=30),
    )
)
def test_round_trip(proof: TlogProof) -> None:
    """Every proof is read back from its text, extra data included."""
    assert parse_tlog_proof(format_tlog_proof(proof)) == proof


def test_vector() -> None:
    """The stored proof parses and is written the same."""
    text = read_vectors("checkpoint")["tlog_proof"].encode()
    assert format_tlog_proof(parse_tlog_proof(text)) == text


@pytest.mark.parametrize(("why", "text"), malformed_texts("tlog_proof"))
def test_other_texts(why: str, text: str) -> None:
    """A proof in any other form is refused."""
    assert why
    with pytest.raises(MalformedError):
        parse_tlog_proof(text.encode())


@pytest.mark.parametrize(
    "data", [b"", b"\xff\n\n", b"c2sp.org/tlog-proof@v1\n\n", b"c2sp.org/tlog-proof@v1\nindex 0\n"]
)
def test_other_bytes(data: bytes) -> None:
    """A proof that is cut short or not text is refused."""
    with pytest.raises(MalformedError):
        parse_tlog_proof(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"index": -1},
        {"index": 2**63},
        {"hashes": (b"short",)},
        {"hashes": (bytes(32),) * 65},
        {"hashes": [bytes(32)]},
        {"checkpoint": b"x"},
    ],
    ids=str,
)
def test_impossible_proofs(changes: dict[str, Any]) -> None:
    """A proof that would not parse is not written."""
    with pytest.raises(MalformedError):
        format_tlog_proof(replace(PROOF, **changes))


@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    """Any bytes behind the header are a proof that formats back to them, or malformed."""
    whole = b"c2sp.org/tlog-proof@v1\nindex 0\n" + data
    try:
        proof = parse_tlog_proof(whole)
    except MalformedError:
        return
    assert format_tlog_proof(proof) == whole
