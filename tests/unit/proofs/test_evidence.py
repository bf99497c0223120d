"""Evidence documents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.evidence import (
    MAX_EVIDENCE_SIZE,
    Anchor,
    Evidence,
    format_evidence,
    parse_evidence,
)
from tests.support.evidence_factory import EvidenceFactory
from tests.unit.proofs.strategies import anchors, json_values, schemas, statements
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from ledger_service.proofs.status import StatusStatement

FACTORY = EvidenceFactory(records=6)
EVIDENCE = FACTORY.evidence(3)


@given(
    st.binary(max_size=40),
    schemas(),
    st.none() | st.lists(json_values(4), max_size=3),
    st.lists(anchors, max_size=3),
    st.none() | statements(),
)
def test_round_trip(
    entry: bytes, schema: Any, fields: Any, anchors_: list[Anchor], status: StatusStatement | None
) -> None:
    """Every document is read back from its bytes."""
    evidence = Evidence(entry, schema, fields, EVIDENCE.proof, tuple(anchors_), status)
    assert parse_evidence(format_evidence(evidence)) == evidence


def test_vector() -> None:
    """The stored evidence parses and is written the same."""
    data = read_vectors("evidence")["evidence"].encode()
    assert format_evidence(parse_evidence(data)) == data


def edited(path: list[str | int], new: Any) -> bytes:
    """The evidence with the member at `path` replaced, or dropped when given `type`."""
    value: Any = decode(format_evidence(EVIDENCE))
    inner = value
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    if new is type:
        del inner[path[-1]]
    return encode(value)


ANCHOR: list[str | int] = ["anchors", 0]


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (["v"], "audit-ledger/evidence/v2"), (["v"], type), (["extra"], 1), (["entry"], None),
        (["entry"], "A"),
        (["schema"], []), (["schema", "v"], "x"), (["fields"], {}), (["proof"], ""), (["proof"], 1),
        (["proof"], "é"),
        (["anchors"], None), (["anchors"], [{}]), (["anchors"], [None]), (["status"], []),
        (["status", "state"], "x"),
        ([*ANCHOR, "chain_id"], 0), ([*ANCHOR, "chain_id"], True), ([*ANCHOR, "chain_id"], "1"),
        ([*ANCHOR, "genesis_hash"], "0x00"), ([*ANCHOR, "contract"], "0x" + "0" * 64), ([*ANCHOR, "size"], 0),
        ([*ANCHOR, "contract"], "0x" + "AB" * 20), ([*ANCHOR, "contract"], "ab" * 20),
        ([*ANCHOR, "log_id"], "0x0"),
        ([*ANCHOR, "root"], "A"), ([*ANCHOR, "time"], 5), ([*ANCHOR, "previous"], {}),
        ([*ANCHOR, "previous"], 1),
        ([*ANCHOR, "block"], None), ([*ANCHOR, "block", "number"], -1), ([*ANCHOR, "block", "hash"], ""),
        ([*ANCHOR, "tx_hash"], None), ([*ANCHOR, "header_rlp"], ""), ([*ANCHOR, "receipt_proof"], {}),
        ([*ANCHOR, "receipt_proof"], [None]), ([*ANCHOR, "code_hash"], type), ([*ANCHOR, "more"], 1),
    ],
    ids=str,
)  # fmt: skip
def test_other_documents(path: list[str | int], new: Any) -> None:
    """A member that is missing, additional, malformed or of another type is refused, at every depth."""
    with pytest.raises(MalformedError):
        parse_evidence(edited(path, new))


def test_too_much() -> None:
    """More than 16 anchors or 8 MiB are refused before they cost anything."""
    with pytest.raises(MalformedError):
        parse_evidence(format_evidence(replace(EVIDENCE, anchors=EVIDENCE.anchors * 17)))
    with pytest.raises(MalformedError):
        parse_evidence(b'"' + b"a" * MAX_EVIDENCE_SIZE + b'"')
