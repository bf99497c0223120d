"""The Merkle tree: against RFC 9162 word for word, exhaustively up to 512 entries, and hostile proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import ConsistencyError, InclusionError, TileMissingError
from ledger_service.proofs.merkle import (
    EMPTY_ROOT,
    InclusionProver,
    check_consistency,
    check_inclusion,
    extend_tiles,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
    tree_root_of,
)
from ledger_service.proofs.types import LeafHash, LeafIndex, RootHash, TreeSize
from tests.support.evidence_factory import MemoryTiles
from tests.unit.proofs import reference_tree as rfc
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LARGEST = 512


def included(index: int, size: int, proof: Sequence[bytes], *, leaf: bytes | None = None) -> None:
    """Check a proof against the reference tree."""
    check_inclusion(
        LeafHash(rfc.LEAVES[index] if leaf is None else leaf),
        index=LeafIndex(index),
        size=TreeSize(size),
        root=RootHash(rfc.head(0, size)),
        proof=proof,
    )


def consistent(first: int, second: int, proof: Sequence[bytes], **roots: bytes) -> None:
    """Check a proof between two heads of the reference tree."""
    check_consistency(
        first=TreeSize(first),
        second=TreeSize(second),
        first_root=RootHash(roots.get("first_root") or rfc.head(0, first)),
        second_root=RootHash(roots.get("second_root") or rfc.head(0, second)),
        proof=proof,
    )


def flipped(proof: Sequence[bytes], place: int) -> list[bytes]:
    """The proof with one bit of the hash at `place` turned."""
    turned = bytearray(proof[place])
    turned[place % 32] ^= 1 << (place % 8)
    return [*proof[:place], bytes(turned), *proof[place + 1 :]]


def refuse(
    error: type[Exception],
    check: Callable[[int, int, Sequence[bytes]], None],
    a: int,
    b: int,
    proof: Sequence[bytes],
) -> None:
    """Hold that a check raises. It runs two million times here, for which `pytest.raises` is too slow."""
    try:
        check(a, b, proof)
    except error:
        return
    pytest.fail(f"{check.__name__}({a}, {b}) accepted a flipped hash")


@pytest.fixture(scope="module")
def tiles() -> MemoryTiles:
    """The tiles of the reference tree."""
    grown = MemoryTiles()
    grown.append(rfc.LEAVES)
    return grown


def test_small_constants() -> None:
    """The empty tree, a leaf and a node hash as RFC 9162 section 2.1.1 says."""
    assert rfc.head(0, 0) == EMPTY_ROOT
    assert leaf_hash(b"0") == rfc.LEAVES[0]
    assert node_hash(rfc.LEAVES[0], rfc.LEAVES[1]) == rfc.head(0, 2)


def test_roots_up_to_1024(tiles: MemoryTiles) -> None:
    """Every size up to 1,024 has the reference root, from leaves and from tiles."""
    for size in range(1025):
        assert tree_root_of(rfc.LEAVES[:size]) == rfc.head(0, size)
        assert tree_root(tiles, TreeSize(size)) == rfc.head(0, size)


def test_every_inclusion_proof_up_to_512() -> None:
    """Every (index, size) up to 512 verifies, and is refused with any one of its hashes flipped."""
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = rfc.inclusion(index, 0, size)
            included(index, size, proof)
            for place in range(len(proof)):
                refuse(InclusionError, included, index, size, flipped(proof, place))


def test_every_consistency_proof_up_to_512() -> None:
    """Every (first, second) up to 512 verifies, and is refused with any one of its hashes flipped."""
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            proof = rfc.consistency(first, 0, second)
            consistent(first, second, proof)
            for place in range(len(proof)):
                refuse(ConsistencyError, consistent, first, second, flipped(proof, place))


def test_every_proof_is_made_as_the_rfc_says_up_to_512(tiles: MemoryTiles) -> None:
    """From tiles we make exactly the proofs that RFC 9162 defines, for every pair up to 512."""
    for size in [*range(1, 130), *range(130, LARGEST + 1, 7), 255, 256, 257, 511, 512]:
        for index in range(size):
            made = prove_inclusion(tiles, LeafIndex(index), TreeSize(size))
            assert made == rfc.inclusion(index, 0, size)
            made = prove_consistency(tiles, TreeSize(index + 1), TreeSize(size))
            assert made == rfc.consistency(index + 1, 0, size)


def test_a_prover_of_many_entries_makes_the_same_proofs(tiles: MemoryTiles) -> None:
    """What a prover remembers of other entries changes no path, whatever the order in which it is asked."""
    for size in (1, 2, 3, 255, 256, 257, 300, 1000):
        prover = InclusionProver(tiles, TreeSize(size))
        for index in (*range(size), *reversed(range(size))):
            assert prover.prove(LeafIndex(index)) == prove_inclusion(tiles, LeafIndex(index), TreeSize(size))
        for index in (-1, size):
            with pytest.raises(InclusionError):
                prover.prove(LeafIndex(index))


def test_small_proofs_fit_nothing_else() -> None:
    """A proof for one (index, size) up to 16 proves no other index, no other leaf and no other size."""
    for size in range(1, 17):
        for index in range(size):
            proof = rfc.inclusion(index, 0, size)
            for other in (number for number in range(size) if number != index):
                with pytest.raises(InclusionError):
                    included(index, size, proof, leaf=rfc.LEAVES[other])
                with pytest.raises(InclusionError):
                    included(other, size, proof, leaf=rfc.LEAVES[index])
            for other in (number for number in range(index + 1, 18) if number != size):
                with pytest.raises(InclusionError):
                    included(index, other, proof)


def test_small_consistency_proofs_fit_nothing_else() -> None:
    """A proof between two sizes up to 16 fits no other pair of sizes that share one of the two."""
    for second in range(2, 17):
        for first in range(1, second):
            proof = rfc.consistency(first, 0, second)
            for other in (number for number in range(1, second) if number != first):
                with pytest.raises(ConsistencyError):
                    consistent(other, second, proof)
            for other in (number for number in range(first + 1, 18) if number != second):
                with pytest.raises(ConsistencyError):
                    consistent(first, other, proof)


@given(st.integers(1, 1024), st.data())
def test_wrong_lengths_are_refused(size: int, data: st.DataObject) -> None:
    """A proof with a hash too many, too few, too short, or in another place is refused."""
    index = data.draw(st.integers(0, size - 1))
    proof = rfc.inclusion(index, 0, size)
    for bad in ([*proof, rfc.LEAVES[0]], [rfc.LEAVES[0], *proof], [*proof, b""], proof[1:], proof[:-1]):
        if len(bad) != len(proof):
            with pytest.raises(InclusionError):
                included(index, size, bad)
    first = data.draw(st.integers(1, size))
    proof = rfc.consistency(first, 0, size)
    for bad in ([*proof, rfc.LEAVES[0]], [rfc.LEAVES[0], *proof], [*proof, b""], proof[1:], proof[:-1]):
        if len(bad) != len(proof):
            with pytest.raises(ConsistencyError):
                consistent(first, size, bad)


def test_node_is_no_leaf() -> None:
    """An inner node passed as a leaf of a smaller tree is refused: the index and size fix the length."""
    for size in (4, 8, 16):
        inner, proof = rfc.head(0, 2), rfc.inclusion(0, 0, size)[1:]
        with pytest.raises(InclusionError):
            included(0, size, proof, leaf=inner)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (8, 8), (-1, 8), (8, 3), (2**63, 1), (0, -1)])
def test_absurd_indexes(index: int, size: int) -> None:
    """An index outside the tree is refused before any hash is looked at."""
    with pytest.raises(InclusionError):
        check_inclusion(
            LeafHash(bytes(32)), index=LeafIndex(index), size=TreeSize(size), root=EMPTY_ROOT, proof=()
        )
    with pytest.raises(InclusionError):
        prove_inclusion(MemoryTiles(), LeafIndex(index), TreeSize(size))


@pytest.mark.parametrize(("first", "second"), [(8, 3), (2**63, 1), (1, 0), (-1, 0), (-1, 5), (2**64, 2**63)])
def test_sizes_that_do_not_grow(first: int, second: int) -> None:
    """A later tree that is smaller is refused, to check and to prove."""
    for proof in ((), (bytes(32),), (bytes(32),) * 64):
        with pytest.raises(ConsistencyError):
            check_consistency(
                first=TreeSize(first),
                second=TreeSize(second),
                first_root=EMPTY_ROOT,
                second_root=EMPTY_ROOT,
                proof=proof,
            )
    with pytest.raises(ConsistencyError):
        prove_consistency(MemoryTiles(), TreeSize(first), TreeSize(second))


def test_empty_tree_is_a_prefix_of_everything() -> None:
    """Size 0 has the root SHA-256 of nothing and an empty proof to anything, and no other root or proof."""
    for second in range(5):
        consistent(0, second, ())
        assert prove_consistency(MemoryTiles(), TreeSize(0), TreeSize(second)) == ()
        with pytest.raises(ConsistencyError):
            consistent(0, second, (bytes(32),))
        with pytest.raises(ConsistencyError):
            consistent(0, second, (), first_root=bytes(32))
    with pytest.raises(ConsistencyError):
        consistent(0, 3, (), second_root=bytes(31))


def test_equal_sizes_need_equal_roots() -> None:
    """Two heads of one size are consistent exactly when their roots are equal and the proof is empty."""
    consistent(5, 5, ())
    with pytest.raises(ConsistencyError):
        consistent(5, 5, (), second_root=bytes(32))
    with pytest.raises(ConsistencyError):
        consistent(5, 5, (bytes(32),))


def test_wrong_roots() -> None:
    """A root other than the one the path leads to is refused, on either side."""
    proof = rfc.consistency(5, 0, 9)
    for roots in ({"first_root": bytes(32)}, {"second_root": bytes(32)}):
        with pytest.raises(ConsistencyError):
            consistent(5, 9, proof, **roots)
    with pytest.raises(InclusionError):
        check_inclusion(
            LeafHash(rfc.LEAVES[0]),
            index=LeafIndex(0),
            size=TreeSize(9),
            root=RootHash(bytes(32)),
            proof=rfc.inclusion(0, 0, 9),
        )


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_growing_in_any_batches(batches: list[int]) -> None:
    """However the entries arrive, tiles and root are the same as if they had come at once."""
    grown, position = MemoryTiles(), 0
    for batch in batches:
        end = min(position + batch, len(rfc.LEAVES))
        changed, root = extend_tiles(grown, TreeSize(position), rfc.LEAVES[position:end])
        for place, tile in changed.items():
            assert tile.startswith(grown.tiles.get(place, b""))
        grown.tiles |= changed
        position = end
        assert root == rfc.head(0, position)
    at_once = MemoryTiles()
    at_once.append(rfc.LEAVES[:position])
    assert grown.tiles == at_once.tiles


def test_tiles_of_70_000_entries() -> None:
    """The tree of tlog-tiles' example: 273 full tiles, one of 112, then 1 and 17, then 1."""
    vectors = read_vectors("merkle")
    grown = MemoryTiles()
    grown.append([leaf_hash(b"%d" % number) for number in range(70_000)])
    widths = {place: len(tile) // 32 for place, tile in grown.tiles.items()}
    assert [widths.pop((0, index)) for index in range(273)] == [256] * 273
    assert widths == {(0, 273): 112, (1, 0): 256, (1, 1): 17, (2, 0): 1}
    for case in vectors["roots"]:
        assert tree_root(grown, TreeSize(case["size"])).hex() == case["root"]


def test_vectors(tiles: MemoryTiles) -> None:
    """The stored roots and proofs verify, and are those that the kernel makes."""
    vectors = read_vectors("merkle")
    roots = {case["size"]: RootHash(bytes.fromhex(case["root"])) for case in vectors["roots"]}
    for case in vectors["inclusion"]:
        index, size, proof = case["index"], case["size"], [bytes.fromhex(item) for item in case["proof"]]
        leaf = leaf_hash(b"%d" % index)
        check_inclusion(leaf, index=index, size=size, root=roots[size], proof=proof)
        assert size > len(rfc.LEAVES) or prove_inclusion(tiles, index, size) == tuple(proof)
    for case in vectors["consistency"]:
        first, second, proof = case["first"], case["second"], [bytes.fromhex(item) for item in case["proof"]]
        check_consistency(
            first=first, second=second, first_root=roots[first], second_root=roots[second], proof=proof
        )
        assert second > len(rfc.LEAVES) or prove_consistency(tiles, first, second) == tuple(proof)


def test_missing_tile_is_named() -> None:
    """A tile that the reader lacks, or that is too narrow, is an error and never a wrong root."""
    grown = MemoryTiles()
    grown.append(rfc.LEAVES[:300])
    grown.tiles[0, 1] = grown.tiles[0, 1][:-32]
    with pytest.raises(TileMissingError):
        tree_root(grown, TreeSize(300))


class _ShortReader:
    """A reader that breaks its promise and returns less than was asked."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return one hash too few."""
        return bytes(32 * (width - 1)) if level == index == 0 else b""


def test_narrow_tile_is_refused() -> None:
    """A reader that returns fewer hashes than asked is not believed."""
    with pytest.raises(TileMissingError):
        tree_root(_ShortReader(), TreeSize(5))
    with pytest.raises(TileMissingError):
        extend_tiles(_ShortReader(), TreeSize(5), [bytes(32)])


def test_appending_nothing(tiles: MemoryTiles) -> None:
    """An empty batch changes no tile and gives the root as it is."""
    assert extend_tiles(tiles, TreeSize(777), []) == ({}, rfc.head(0, 777))
    assert extend_tiles(MemoryTiles(), TreeSize(0), []) == ({}, EMPTY_ROOT)
