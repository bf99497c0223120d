"""The proof vectors of the transparency-dev project, good and bad: each has the stated result.

A subtree vector (a tree over the entries `start` to `end`) is an inclusion vector whose first entry is `start`.
That `start` is a multiple of the subtree's size rounded up to a power of two is the caller's rule, not the path's.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.errors import ConsistencyError, InclusionError
from ledger_service.proofs.merkle import check_consistency, check_inclusion
from tests.unit.proofs.vectors import VECTORS

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = VECTORS / "rfc6962"
SHARED = VECTORS.parents[2] / "shared" / "vectors" / "rfc6962"


def files(kind: str) -> list[Path]:
    """The vectors of one kind, from the copy in the repository."""
    return sorted(FOLDER.glob(f"{kind}/**/*.json"))


def read(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """A vector and its proof."""
    vector = json.loads(path.read_text("utf-8"))
    return vector, [base64.b64decode(item) for item in vector["proof"] or []]


def check_subtree(vector: dict[str, Any], proof: list[bytes]) -> None:
    """Check a subtree's inclusion: its own alignment rule, then the path."""
    start, size = vector["start"], vector["end"] - vector["start"]
    if size > 0 and start % (1 << (size - 1).bit_length()):
        raise InclusionError("The subtree does not begin where a subtree of its size can.")
    check_inclusion(
        base64.b64decode(vector["leafHash"]),  # type: ignore[arg-type]
        index=vector["leafIdx"] - start,
        size=size,
        root=base64.b64decode(vector["root"]),  # type: ignore[arg-type]
        proof=proof,
    )


def test_the_vectors_are_complete() -> None:
    """No vector is missing, and the licence is with them."""
    assert [len(files(kind)) for kind in ("inclusion", "subtreeinclusion", "consistency")] == [98, 204, 98]
    assert "Apache License" in (FOLDER / "LICENSE").read_text("utf-8")
    for path in SHARED.glob("**/*.json"):
        assert (FOLDER / path.relative_to(SHARED)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", files("inclusion"), ids=lambda path: str(path.relative_to(FOLDER)))
def test_inclusion(path: Path) -> None:
    """An inclusion vector is accepted or refused as it says."""
    vector, proof = read(path)
    vector |= {"start": 0, "end": vector["treeSize"]}
    if vector["wantErr"]:
        with pytest.raises(InclusionError):
            check_subtree(vector, proof)
    else:
        check_subtree(vector, proof)


@pytest.mark.parametrize("path", files("subtreeinclusion"), ids=lambda path: str(path.relative_to(FOLDER)))
def test_subtree_inclusion(path: Path) -> None:
    """A subtree vector, mapped onto inclusion, is accepted or refused as it says."""
    vector, proof = read(path)
    if vector["wantErr"]:
        with pytest.raises(InclusionError):
            check_subtree(vector, proof)
    else:
        check_subtree(vector, proof)


@pytest.mark.parametrize("path", files("consistency"), ids=lambda path: str(path.relative_to(FOLDER)))
def test_consistency(path: Path) -> None:
    """A consistency vector is accepted or refused as it says."""
    vector, proof = read(path)
    first_root, second_root = (base64.b64decode(vector[name]) for name in ("root1", "root2"))

    def check() -> None:
        check_consistency(
            first=vector["size1"],
            second=vector["size2"],
            first_root=first_root,  # type: ignore[arg-type]
            second_root=second_root,  # type: ignore[arg-type]
            proof=proof,
        )

    if vector["wantErr"]:
        with pytest.raises(ConsistencyError):
            check()
    else:
        check()
