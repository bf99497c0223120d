"""Rfc9162.sol against vectors made elsewhere, hand-made bad proofs and sizes that no tree has."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.evm import RevertedError
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc6962"
INCLUSION = sorted([*VECTORS.glob("inclusion/**/*.json"), *VECTORS.glob("subtreeinclusion/**/*.json")])
CONSISTENCY = sorted(VECTORS.glob("consistency/**/*.json"))
REFUSALS = {"PathTooShort", "PathTooLong", "RootMismatch"}
ZERO = bytes(32)


def read_vector(path: Path) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A vector and its path."""
    vector = json.loads(path.read_text("utf-8"))
    return vector, tuple(read_hash(text) for text in vector["proof"] or [])


def read_hash(text: str, filler: bytes = b"\0") -> bytes:
    """A hash. A bytes32 has no other length, so a shorter one is filled up, a leaf otherwise than a root."""
    return base64.b64decode(text).ljust(32, filler)


def refusal(contract: Deployed, name: str, *arguments: object) -> str:
    """The name of the error that a call gives."""
    with pytest.raises(RevertedError) as caught:
        contract.view(name, *arguments)
    return caught.value.name


def test_vectors_are_all_there() -> None:
    """The vectors of transparency-dev/merkle are complete: nothing passes because a file is missing."""
    assert (len(INCLUSION), len(CONSISTENCY)) == (98 + 204, 98)
    assert len(list(VECTORS.glob("**/*.json"))) == 400


@pytest.mark.parametrize("path", INCLUSION, ids=lambda path: str(path.relative_to(VECTORS)))
def test_inclusion_vector(harness: Deployed, path: Path) -> None:
    """Each inclusion vector has the stated result; a subtree is a tree whose first entry is `start`."""
    vector, proof = read_vector(path)
    start = vector.get("start", 0)
    size = (vector["end"] - start) % 2**64 if "end" in vector else vector["treeSize"]
    index = (vector["leafIdx"] - start) % 2**64
    arguments = (read_hash(vector["leafHash"], b"\xff"), index, size, read_hash(vector["root"]), proof)
    if vector["wantErr"]:
        assert refusal(harness, "verifyInclusion", *arguments) in REFUSALS | {"EntryOutOfRange"}
    else:
        assert harness.view("verifyInclusion", *arguments) == ()


@pytest.mark.parametrize("path", CONSISTENCY, ids=lambda path: str(path.relative_to(VECTORS)))
def test_consistency_vector(harness: Deployed, path: Path) -> None:
    """Each consistency vector has the stated result."""
    vector, proof = read_vector(path)
    roots = (read_hash(vector["root1"]), read_hash(vector["root2"]))
    arguments = (vector["size1"], vector["size2"], *roots, proof)
    if vector["wantErr"]:
        assert refusal(harness, "verifyConsistency", *arguments) in REFUSALS | {"SizesOutOfOrder"}
    else:
        assert harness.view("verifyConsistency", *arguments) == ()


@pytest.mark.parametrize(
    ("first", "second"), [(8, 3), (2**63, 1), (2, 1), (2**64 - 1, 2**64 - 2), (0, 0), (0, 1), (0, 2**64 - 1)]
)
def test_sizes_that_do_not_grow(harness: Deployed, first: int, second: int) -> None:
    """A second tree smaller than the first, and an empty first tree, are refused before any hash is read."""
    root = tree_of(100).root(8)
    for path in [(), (ZERO,), (ZERO,) * 70]:
        with pytest.raises(RevertedError) as caught:
            harness.view("verifyConsistency", first, second, root, root, path)
        assert (caught.value.name, caught.value.values) == (
            "SizesOutOfOrder",
            {"first": first, "second": second},
        )


@pytest.mark.parametrize("size", [1, 2, 3, 64, 2**53 - 1, 2**64 - 1])
def test_equal_sizes(harness: Deployed, size: int) -> None:
    """Trees of one size are consistent with one root and an empty path, and with nothing else."""
    root, other = tree_of(100).root(8), tree_of(100).root(9)
    assert harness.view("verifyConsistency", size, size, root, root, ()) == ()
    assert refusal(harness, "verifyConsistency", size, size, root, other, ()) == "RootMismatch"
    assert refusal(harness, "verifyConsistency", size, size, root, root, (root,)) == "PathTooLong"
    assert refusal(harness, "verifyConsistency", size, size, root, root, (ZERO,)) == "PathTooLong"


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (1, 1), (8, 8), (2**64 - 1, 1), (2**64 - 1, 2**64 - 1), (5, 0)]
)
def test_positions_outside_the_tree(harness: Deployed, index: int, size: int) -> None:
    """A position that the tree does not have is refused with its values, whatever the path."""
    leaf = tree_of(100).leaves[0]
    for path in [(), (leaf,)]:
        with pytest.raises(RevertedError) as caught:
            harness.view("verifyInclusion", leaf, index, size, leaf, path)
        assert (caught.value.name, caught.value.values) == ("EntryOutOfRange", {"index": index, "size": size})


@pytest.mark.parametrize(
    ("index", "size", "length"), [(0, 2**64 - 1, 64), (2**63, 2**63 + 1, 1), (2**64 - 2, 2**64 - 1, 63)]
)
def test_largest_trees(harness: Deployed, index: int, size: int, length: int) -> None:
    """At the largest sizes a path still has exactly one length, and the walk ends."""
    path = [sha256(b"%d" % i).digest() for i in range(length)]
    root = sha256(b"x").digest()
    assert refusal(harness, "verifyInclusion", root, index, size, root, tuple(path)) == "RootMismatch"
    assert refusal(harness, "verifyInclusion", root, index, size, root, tuple(path[1:])) == "PathTooShort"
    assert refusal(harness, "verifyInclusion", root, index, size, root, (*path, ZERO)) == "PathTooLong"


def test_refusals_carry_their_values(harness: Deployed) -> None:
    """A wrong root is reported with the size, the root expected and the root that the path yields."""
    tree = tree_of(100)
    other = sha256(b"other").digest()
    with pytest.raises(RevertedError) as caught:
        harness.view("verifyInclusion", tree.leaves[3], 3, 100, other, tree.inclusion(3, 100))
    assert caught.value.values == {"size": 100, "expected": other, "computed": tree.root(100)}
    with pytest.raises(RevertedError) as caught:
        harness.view("verifyConsistency", 30, 100, other, tree.root(100), tree.consistency(30, 100))
    assert caught.value.values == {"size": 30, "expected": other, "computed": tree.root(30)}
    with pytest.raises(RevertedError) as caught:
        harness.view("verifyConsistency", 30, 100, tree.root(30), other, tree.consistency(30, 100))
    assert caught.value.values == {"size": 100, "expected": other, "computed": tree.root(100)}
    with pytest.raises(RevertedError) as caught:
        harness.view("verifyConsistency", 30, 100, tree.root(30), other, tree.consistency(30, 100)[:3])
    assert (caught.value.name, caught.value.values) == ("PathTooShort", {"length": 3})
    with pytest.raises(RevertedError) as caught:
        harness.view("verifyConsistency", 3, 4, tree.root(3), other, (other,) * 9)
    assert (caught.value.name, caught.value.values) == ("PathTooLong", {"length": 9})


@pytest.mark.parametrize(
    "entry", [b"", b"\0", b"a", bytes(31), bytes(32), bytes(range(256)) * 255 + b"\xff" * 255], ids=len
)
def test_leaf_and_node_hashes(harness: Deployed, entry: bytes) -> None:
    """Leaf and node hashes are those of RFC 9162, for entries of every length up to the longest."""
    left, right = sha256(entry).digest(), sha256(b"right").digest()
    assert harness.view("leafHash", entry) == sha256(b"\0" + entry).digest()
    assert harness.view("nodeHash", left, right) == sha256(b"\1" + left + right).digest()
    assert harness.view("emptyRoot") == sha256(b"").digest()


def test_hashing_stays_in_little_memory(harness: Deployed) -> None:
    """Hashes are computed close to the free memory pointer: memory far beyond it costs more than the hashes do."""
    tree = tree_of(100)
    pair = (2**6 - 1, 2**6, tree.root(63), tree.root(64), tree.consistency(63, 64))
    for name, arguments, limit in [("nodeHash", (ZERO, ZERO), 3_000), ("verifyConsistency", pair, 9_000)]:
        call = harness.artifact.encode_call(name, *arguments)
        assert harness.evm.call(harness.address, call).get_gas_used() < limit
