"""A drawn inclusion proof: it leads to the root, and says of each hash which entries it stands for."""

from __future__ import annotations

import pytest

from ledger_service.errors import InclusionError
from ledger_service.proofs.audit_path import draw_path
from ledger_service.proofs.merkle import check_inclusion, leaf_hash, tree_root_of
from ledger_service.proofs.types import LeafHash, LeafIndex, TreeSize

LEAVES = [leaf_hash(str(number).encode()) for number in range(40)]


def proof_of(leaves: list[LeafHash], index: int) -> list[bytes]:
    """The hashes beside a leaf's path, lowest first, straight from the definition in RFC 9162."""
    if len(leaves) == 1:
        return []
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = leaves[:middle], leaves[middle:]
    if index < middle:
        return [*proof_of(left, index), tree_root_of(right)]
    return [*proof_of(right, index - middle), tree_root_of(left)]


@pytest.mark.parametrize("size", range(1, len(LEAVES) + 1))
def test_every_leaf_of_every_small_tree_is_led_to_the_root(size: int) -> None:
    """Each hash is that of exactly the entries it names, on the side it names; the last node is the root."""
    for index in range(size):
        leaf, proof = LEAVES[index], proof_of(LEAVES[:size], index)
        root = tree_root_of(LEAVES[:size])
        check_inclusion(leaf, index=LeafIndex(index), size=TreeSize(size), root=root, proof=proof)
        steps = draw_path(leaf, index=LeafIndex(index), size=TreeSize(size), proof=proof)
        assert [step.sibling for step in steps] == proof
        assert all(tree_root_of(LEAVES[step.first : step.end]) == step.sibling for step in steps)
        assert all((step.first > index) == (step.side == "right") for step in steps)
        assert [*(step.node for step in steps), leaf][len(steps) - 1 if steps else 0] == root
        covered = {index}.union(*(range(step.first, step.end) for step in steps))
        assert covered == set(range(size))


def test_a_proof_of_another_length_is_not_drawn() -> None:
    """One hash too many or too few, and an index outside of the tree."""
    proof = proof_of(LEAVES[:7], 3)
    for index, given in ((3, proof[:-1]), (3, [*proof, proof[0]]), (7, proof), (-1, proof)):
        with pytest.raises(InclusionError):
            draw_path(LEAVES[3], index=LeafIndex(index), size=TreeSize(7), proof=given)
