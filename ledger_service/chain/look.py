"""One look at a chain: its newest block, and which blocks below it are part of the same chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.chain.client import check_canonical
from ledger_service.errors import BlockGoneError

if TYPE_CHECKING:
    from ledger_service.chain.client import Block, Node


class Look:
    """The chain as it was when its newest block was `head`. Blocks are asked for once."""

    __slots__ = ("_blocks", "_node", "head")

    def __init__(self, node: Node) -> None:
        """Take the node's newest block."""
        self._node = node
        self.head = node.newest()
        self._blocks: dict[int, Block | None] = {self.head.number: self.head}

    def holds(self, number: int, block_hash: bytes) -> bool:
        """Tell whether the chain has this block at this number."""
        block = self.at(number)
        return block is not None and block.hash == block_hash

    def block(self, number: int, block_hash: bytes) -> Block:
        """Return a block of the chain. Raises BlockGoneError if the chain has another one there, or none."""
        block = self.at(number)
        if block is None or block.hash != block_hash:
            raise BlockGoneError(number=number)
        return block

    def depth(self, number: int) -> int:
        """Return how many blocks confirm the block of a number, itself included."""
        return self.head.number - number + 1

    def confirm(self) -> None:
        """Raise BlockGoneError if the chain was reorganized since this look began."""
        check_canonical(self._node, self.head)

    def at(self, number: int) -> Block | None:
        """Return the chain's block of a number, or None if it is not that long."""
        if number > self.head.number:
            return None
        if number not in self._blocks:
            self._blocks[number] = self._node.block(number)
        return self._blocks[number]
