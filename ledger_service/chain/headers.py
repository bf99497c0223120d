"""Encodes a block header as the chain hashed it: a verifier with a pinned block hash needs no node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rlp
from eth_utils.crypto import keccak

from ledger_service.chain.wire import parse_data, parse_quantity

if TYPE_CHECKING:
    from ledger_service.chain.client import Block

# The header's fields in hashing order; the later ones came with London, Shanghai, Cancun, Prague, Amsterdam.
_DATA_FIELDS: Final = frozenset({
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
    "extraData", "mixHash", "nonce", "withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash",
    "blockAccessListHash",
})  # fmt: skip
_ALWAYS: Final = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
    "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce",
)  # fmt: skip
_SINCE: Final = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash", "blockAccessListHash",
)  # fmt: skip


def encode_header(block: Block) -> bytes | None:
    """Return the RLP of a block's header, or None if what the node tells does not hash to the block's hash.

    None is not an error: some chains hash headers of another shape. There is then nothing to prove with.
    """
    if any(name not in block.header for name in _ALWAYS):
        return None
    names = [*_ALWAYS, *(name for name in _SINCE if block.header.get(name) is not None)]
    encoded: bytes = rlp.encode([_field(name, block.header[name]) for name in names])
    return encoded if keccak(encoded) == block.hash else None


def _field(name: str, value: object) -> bytes:
    if name in _DATA_FIELDS:
        return parse_data(value, what=name)
    number = parse_quantity(value, what=name)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
