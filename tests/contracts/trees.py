"""Trees of made-up entries, kept as tiles in memory."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_service.proofs.merkle import extend_tiles, prove_consistency, prove_inclusion, tree_root
from ledger_service.proofs.types import LeafHash, LeafIndex, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tree:
    """A tree and all its earlier sizes: roots and proofs by the kernel."""

    def __init__(self, leaves: Sequence[LeafHash]) -> None:
        """Hash all tiles once."""
        self.leaves = leaves
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._tiles, _ = extend_tiles(self, TreeSize(0), leaves)

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile."""
        return self._tiles[level, index][: width * 32]

    def root(self, size: int) -> RootHash:
        """The root at an earlier size."""
        return tree_root(self, TreeSize(size))

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The inclusion path of an entry at a size."""
        return prove_inclusion(self, LeafIndex(index), TreeSize(size))

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """The consistency path between two sizes."""
        return prove_consistency(self, TreeSize(first), TreeSize(second))


@cache
def tree_of(size: int) -> Tree:
    """The tree whose entry i has the leaf hash SHA-256("audit-ledger test leaf i"). Always the same."""
    return Tree([LeafHash(sha256(b"audit-ledger test leaf %d" % i).digest()) for i in range(size)])
