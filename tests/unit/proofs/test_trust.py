"""Trust files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.trust import DEFAULT_REQUIRED, HeadKey, Trust, format_trust, parse_trust
from ledger_service.proofs.types import TreeSize
from tests.support.evidence_factory import EvidenceFactory, join_trust
from tests.unit.proofs.vectors import read_vectors

ONE, TWO = EvidenceFactory("one", records=1), EvidenceFactory("two", records=1)
LOG = replace(
    ONE.trusted_log,
    acceptance_keys=(ONE.status_vkey,),
    head_keys=(HeadKey(ONE.log_vkey, TreeSize(0), TreeSize(7)), HeadKey(ONE.log_vkey, TreeSize(9), None)),
    issuer_name="Ünïted \U0001f600",
)


@pytest.mark.parametrize("trust", [Trust(()), Trust((LOG,)), join_trust([ONE, TWO]), Trust((), 0, 0, (1, 8))])
def test_round_trip(trust: Trust) -> None:
    """A trust file is read back from its bytes."""
    assert parse_trust(format_trust(trust)) == trust


def test_vector() -> None:
    """The stored trust file parses and is written the same."""
    data = read_vectors("evidence")["trust"].encode()
    assert format_trust(parse_trust(data)) == data


def test_defaults() -> None:
    """Without a word to the contrary steps 1 to 5 and 7 are required, and 5 minutes tolerated."""
    assert Trust(()).required == DEFAULT_REQUIRED == (1, 2, 3, 4, 5, 7)
    assert Trust(()).accepted_tolerance_s == 300


def test_finding_a_log() -> None:
    """A log is found by its origin alone."""
    trust = join_trust([ONE, TWO])
    assert trust.find_log(TWO.origin) == TWO.trusted_log
    assert trust.find_log("ledger.example") is None


def edited(path: list[str | int], new: Any) -> bytes:
    """The trust file with the member at `path` replaced, or dropped when given `type`."""
    value: Any = decode(format_trust(Trust((LOG,))))
    inner = value
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    if new is type:
        del inner[path[-1]]
    return encode(value)


FIRST: list[str | int] = ["logs", 0]


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (["v"], "audit-ledger/trust/v2"), (["extra"], 1), (["logs"], {}), (["logs"], [1]),
        (["required"], [2, 1]),
        (["required"], [1, 1]), (["required"], [0]), (["required"], [9]), (["required"], [True]),
        (["required"], None),
        (["max_status_age_s"], -1), (["max_status_age_s"], 10**12), (["accepted_tolerance_s"], "5"),
        ([*FIRST, "origin"], "a b"), ([*FIRST, "org"], "A"), ([*FIRST, "issuer_name"], ""),
        ([*FIRST, "issuer_name"], "a\u001bb"), ([*FIRST, "status_keys"], ["x"]),
        ([*FIRST, "status_keys"], [1]),
        ([*FIRST, "acceptance_keys"], None), ([*FIRST, "head_keys"], [{}]),
        ([*FIRST, "head_keys", 0, "to_size"], -1),
        ([*FIRST, "head_keys", 1, "to_size"], 8), ([*FIRST, "head_keys", 0, "from_size"], None),
        ([*FIRST, "anchors", 0, "self_anchored"], 1), ([*FIRST, "anchors", 0, "contract"], "0x"),
        ([*FIRST, "anchors", 0, "chain_id"], 0), ([*FIRST, "anchors", 0, "log_id"], type),
        ([*FIRST, "more"], 1),
    ],
    ids=str,
)  # fmt: skip
def test_other_documents(path: list[str | int], new: Any) -> None:
    """A member that is missing, additional, malformed or of another type is refused, at every depth."""
    with pytest.raises(MalformedError):
        parse_trust(edited(path, new))


def test_one_log_once() -> None:
    """A log that is described twice is refused, so that no reader can pick a description."""
    with pytest.raises(MalformedError):
        format_trust(Trust((LOG, LOG)))
