"""The Merkle tree of RFC 9162 section 2.1 over SHA-256, kept as the tiles of C2SP tlog-tiles.

A tile of level L holds up to 256 hashes, each the head of a full tile of level L - 1 (at level 0: a leaf).
Whoever stores the tiles implements `TileReader`; proofs read at most two tiles a level.
`leaves` and `leaf` always mean leaf hashes, never entries.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from ledger_service.errors import ConsistencyError, InclusionError, TileMissingError
from ledger_service.proofs.types import LeafHash, LeafIndex, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY_ROOT = RootHash(sha256(b"").digest())
HASH_SIZE = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


class TileReader(Protocol):
    """Where the tiles of one log are read from."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile, 32 bytes each; raises TileMissingError.

        A stored tile that has grown since is cut to `width`: what has been written never changes.
        """


def leaf_hash(entry: bytes) -> LeafHash:
    """Return SHA-256(0x00 || entry)."""
    return LeafHash(sha256(b"\x00" + entry).digest())


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def tree_root_of(leaves: Sequence[bytes]) -> RootHash:
    """Return the head of the tree over all these leaf hashes, level by level, without tiles."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        pairs = iter(level)
        # Spelled out rather than by node_hash, because every entry of a bulk passes through this line.
        heads = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        if len(level) & 1:
            heads.append(level[-1])
        level = heads
    return RootHash(level[0])


def tree_root(reader: TileReader, size: TreeSize) -> RootHash:
    """Return the head of the tree of the first `size` leaves; raises TileMissingError."""
    return RootHash(_Tree(reader, size).head(0, size)) if size else EMPTY_ROOT


def prove_inclusion(reader: TileReader, index: LeafIndex, size: TreeSize) -> tuple[bytes, ...]:
    """Return the path from leaf `index` to the head at `size` (RFC 9162 section 2.1.3.1).

    Raises InclusionError when the tree has no such leaf, TileMissingError when a tile is missing.
    """
    return InclusionProver(reader, size).prove(index)


class InclusionProver:
    """Proves any number of entries of one tree. What their paths have in common is read and hashed once."""

    __slots__ = ("_size", "_tree")

    def __init__(self, reader: TileReader, size: TreeSize) -> None:
        """Prove entries of the first `size`; nothing is read yet."""
        self._tree = _Tree(reader, size)
        self._size = size

    def prove(self, index: LeafIndex) -> tuple[bytes, ...]:
        """Return what `prove_inclusion` returns, and raise as it does. Any number of threads may ask."""
        if not 0 <= index < self._size:
            raise InclusionError(f"A tree of {self._size} entries has no index {index}.")
        low, high = 0, int(self._size)
        path: list[bytes] = []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._tree.head(middle, high))
                high = middle
            else:
                path.append(self._tree.head(low, middle))
                low = middle
        return tuple(reversed(path))


def check_inclusion(
    leaf: LeafHash, *, index: LeafIndex, size: TreeSize, root: RootHash, proof: Sequence[bytes]
) -> None:
    """Return when `leaf` is entry `index` of the tree (RFC 9162 section 2.1.3.2); raises InclusionError."""
    if not 0 <= index < size:
        raise InclusionError(f"A tree of {size} entries has no index {index}.")
    _check_sizes(leaf, *proof, error=InclusionError)
    node, last = int(index), size - 1
    head: bytes = leaf
    for step in proof:
        if last == 0:
            raise InclusionError("The inclusion proof is too long.")
        if node & 1 or node == last:
            head = node_hash(step, head)
            while not node & 1:
                # The head is the right edge of its level and has no sibling there: it rises unchanged.
                node >>= 1
                last >>= 1
        else:
            head = node_hash(head, step)
        node >>= 1
        last >>= 1
    if last != 0:
        raise InclusionError("The inclusion proof is too short.")
    if head != root:
        raise InclusionError


def prove_consistency(reader: TileReader, first: TreeSize, second: TreeSize) -> tuple[bytes, ...]:
    """Return the path that shows the head at `first` to be a prefix of `second` (RFC 9162 section 2.1.4.1).

    Empty when `first` is 0 or equals `second`. Raises ConsistencyError when `first` is larger than `second`,
    TileMissingError when a tile is missing.
    """
    if not 0 <= first <= second:
        raise ConsistencyError(f"A tree of {second} entries cannot continue one of {first}.")
    if first in {0, second}:
        return ()
    tree = _Tree(reader, second)
    low, high = 0, int(second)
    path: list[bytes] = []
    while first < high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(tree.head(middle, high))
            high = middle
        else:
            path.append(tree.head(low, middle))
            low = middle
    if low:
        path.append(tree.head(low, high))
    return tuple(reversed(path))


def check_consistency(
    *, first: TreeSize, second: TreeSize, first_root: RootHash, second_root: RootHash, proof: Sequence[bytes]
) -> None:
    """Return when the tree at `second` begins with the tree at `first` (RFC 9162 section 2.1.4.2).

    Size 0 has the root SHA-256("") and an empty proof to anything; equal sizes need equal roots and an empty
    proof. Raises ConsistencyError for everything else that the path does not show.
    """
    if not 0 <= first <= second:
        raise ConsistencyError(f"A tree of {second} entries cannot continue one of {first}.")
    if first == 0 and first_root != EMPTY_ROOT:
        raise ConsistencyError("The root of the empty tree is not SHA-256 of nothing.")
    if first in {0, second}:
        if proof or (first == second and first_root != second_root):
            raise ConsistencyError
        if first != second:
            _check_sizes(second_root, error=ConsistencyError)
        return
    _check_sizes(*proof, error=ConsistencyError)
    if first & (first - 1) == 0:
        # The first tree is perfect, so its head is itself the start of the path and is not repeated in it.
        proof = (first_root, *proof)
    if not proof:
        raise ConsistencyError("The consistency proof is too short.")
    node, last = first - 1, second - 1
    while node & 1:
        node >>= 1
        last >>= 1
    if _climb(node, last, proof) != (first_root, second_root):
        raise ConsistencyError


def extend_tiles(
    reader: TileReader, size: TreeSize, leaves: Sequence[bytes]
) -> tuple[dict[tuple[int, int], bytes], RootHash]:
    """Return what appending leaf hashes to a tree changes: `{(level, index): content}` and the new root.

    Each content is the whole tile so far, its old left part included. Reads and hashes O(batch + log size).
    Raises TileMissingError when a tile on the right edge is missing.
    """
    changed: dict[tuple[int, int], bytes] = {}
    appended: Sequence[bytes] = leaves
    level = 0
    while appended:
        old = size >> (TILE_HEIGHT * level)
        index, width = divmod(old, TILE_WIDTH)
        hashes = _hashes(_read(reader, level, index, width)) if width else []
        hashes += appended
        appended = []
        for start in range(0, len(hashes), TILE_WIDTH):
            tile = hashes[start : start + TILE_WIDTH]
            changed[level, index] = b"".join(tile)
            index += 1
            if len(tile) == TILE_WIDTH:
                appended.append(tree_root_of(tile))
        level += 1
    return changed, tree_root(_Overlay(changed, reader), TreeSize(size + len(leaves)))


class _Overlay:
    """Tiles that are about to be written, over those that are stored."""

    def __init__(self, changed: dict[tuple[int, int], bytes], below: TileReader) -> None:
        self._changed = changed
        self._below = below

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        tile = self._changed.get((level, index))
        return self._below.read_tile(level, index, width) if tile is None else tile[: width * HASH_SIZE]


class _Tree:
    """Heads of parts of one tree, each tile read once and each perfect part hashed once."""

    def __init__(self, reader: TileReader, size: int) -> None:
        self._reader = reader
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._heads: dict[tuple[int, int], bytes] = {}

    def head(self, low: int, high: int) -> bytes:
        """Return the head over leaves `low` to `high`, with `low` as aligned as RFC 9162's splits make it."""
        peaks: list[bytes] = []
        while low < high:
            height = (high - low).bit_length() - 1
            peaks.append(self._perfect(height, low >> height))
            low += 1 << height
        head = peaks.pop()
        while peaks:
            head = node_hash(peaks.pop(), head)
        return head

    def _perfect(self, height: int, index: int) -> bytes:
        head = self._heads.get((height, index))
        if head is None:
            head = self._heads[height, index] = self._hash(height, index)
        return head

    def _hash(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        tile, start = divmod(index << inner, TILE_WIDTH)
        hashes = self._tile(level, tile)[start * HASH_SIZE : (start + (1 << inner)) * HASH_SIZE]
        return tree_root_of(_hashes(hashes))

    def _tile(self, level: int, index: int) -> bytes:
        if (level, index) not in self._tiles:
            width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
            self._tiles[level, index] = _read(self._reader, level, index, width)
        return self._tiles[level, index]


def _read(reader: TileReader, level: int, index: int, width: int) -> bytes:
    tile = reader.read_tile(level, index, width)
    if len(tile) != width * HASH_SIZE:
        raise TileMissingError(f"Tile {level}/{index} is not {width} hashes wide.", level=level, index=index)
    return tile


def _hashes(tile: bytes) -> list[bytes]:
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]


def _split(size: int) -> int:
    # The largest power of two smaller than `size`.
    return 1 << ((size - 1).bit_length() - 1)


def _climb(node: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    first_head = second_head = path[0]
    for step in path[1:]:
        if last == 0:
            raise ConsistencyError("The consistency proof is too long.")
        if node & 1 or node == last:
            first_head, second_head = node_hash(step, first_head), node_hash(step, second_head)
            while not node & 1:
                node >>= 1
                last >>= 1
        else:
            second_head = node_hash(second_head, step)
        node >>= 1
        last >>= 1
    if last != 0:
        raise ConsistencyError("The consistency proof is too short.")
    return first_head, second_head


def _check_sizes(*hashes: bytes, error: type[InclusionError | ConsistencyError]) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise error("A hash of the proof is not 32 bytes long.")
