"""An inclusion proof as it is drawn: which entries each of its hashes stands for, and what they make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger_service.errors import InclusionError
from ledger_service.proofs.merkle import node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.proofs.types import LeafHash, LeafIndex, TreeSize


@dataclass(frozen=True, slots=True)
class PathStep:
    """One hash of the proof on the way up.

    It stands for the entries from `first` to before `end`, on its `side` of the path; together with what the
    path had before it hashes to `node`.
    """

    sibling: bytes
    side: Literal["left", "right"]
    first: int
    end: int
    node: bytes


def draw_path(
    leaf: LeafHash, *, index: LeafIndex, size: TreeSize, proof: Sequence[bytes]
) -> tuple[PathStep, ...]:
    """The steps from a leaf to the root, whose hash is the last `node` (RFC 9162, section 2.1.3).

    Raises InclusionError when the proof has not one hash for each level. Whether the last node is the root
    that somebody signed, `check_inclusion` tells.
    """
    if not 0 <= index < size:
        raise InclusionError
    places: list[tuple[Literal["left", "right"], int, int]] = []
    first, end = 0, int(size)
    while end - first > 1:
        middle = first + (1 << (end - first - 1).bit_length() - 1)
        if index < middle:
            places.append(("right", middle, end))
            end = middle
        else:
            places.append(("left", first, middle))
            first = middle
    if len(places) != len(proof):
        raise InclusionError
    steps: list[PathStep] = []
    node: bytes = leaf
    for sibling, (side, begin, past) in zip(proof, reversed(places), strict=True):
        node = node_hash(sibling, node) if side == "left" else node_hash(node, sibling)
        steps.append(PathStep(sibling, side, begin, past, node))
    return tuple(steps)
