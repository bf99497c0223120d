"""Solidity consumes the same vectors as the kernel and the service: trees, proofs and line 3 of checkpoints."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.logs import NO_HEAD, PUBLISHER

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed

VECTORS = Path(__file__).parents[1] / "vectors"
MERKLE = json.loads((VECTORS / "merkle.json").read_text("utf-8"))
SIGNED = json.loads((VECTORS / "eip712_checkpoint.json").read_text("utf-8"))["cases"]
ELSEWHERE = (1, "0x" + "01" * 20, b"\1" * 32)
MAX_GROWTH = 2**32


def leaf(index: int) -> bytes:
    """The leaf hash of the vectors' tree: entry n is n in decimal."""
    return sha256(b"\0%d" % index).digest()


def path_of(case: dict[str, Any]) -> tuple[bytes, ...]:
    """A case's proof."""
    return tuple(bytes.fromhex(step) for step in case["proof"])


def root_at(size: int) -> bytes:
    """The root that the vectors give for a size."""
    (root,) = [case["root"] for case in MERKLE["roots"] if case["size"] == size]
    return bytes.fromhex(root)


def test_inclusion_vectors(harness: Deployed) -> None:
    """Every inclusion proof of the shared vectors is accepted."""
    cases = MERKLE["inclusion"]
    calls = [
        harness.artifact.encode_call(
            "verifyInclusion",
            leaf(case["index"]),
            case["index"],
            case["size"],
            root_at(case["size"]),
            path_of(case),
        )
        for case in cases
    ]
    assert harness.view("run", calls) == (bytes(4),) * len(cases)


def test_consistency_vectors(harness: Deployed) -> None:
    """Every consistency proof of the shared vectors is accepted, but those from an empty tree, of no use here."""
    cases = MERKLE["consistency"]
    calls = [
        harness.artifact.encode_call(
            "verifyConsistency",
            case["first"],
            case["second"],
            root_at(case["first"]),
            root_at(case["second"]),
            path_of(case),
        )
        for case in cases
    ]
    accepted = [outcome == bytes(4) for outcome in harness.view("run", calls)]
    assert accepted == [case["first"] > 0 for case in cases]


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["origin"])
def test_checkpoint_vectors(ledger: Deployed, case: dict[str, Any]) -> None:
    """The contract computes the vectors' digest and accepts their signature, on a log of that origin and key."""
    publisher = ledger.evm.account(PUBLISHER)
    root = bytes.fromhex(case["root"])
    signed = (case["size"], root, bytes.fromhex(case["r"]), bytes.fromhex(case["vs"]))
    log = (case["origin"], publisher, case["address"])
    if case["size"] <= MAX_GROWTH:
        log_id = ledger.send("open", *log).events[0][1]["logId"]
        mined = ledger.send("publish", log_id, NO_HEAD, signed, (), sender=PUBLISHER)
    else:
        mined = ledger.send("openSuccessor", *log, ELSEWHERE, signed)
        log_id = mined.events[0][1]["logId"]
    assert mined.events[-1][1]["root"] == root
    assert ledger.view("checkpointDigest", log_id, case["size"], root).hex() == case["digest"]
