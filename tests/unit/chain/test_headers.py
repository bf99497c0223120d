"""Headers are encoded as the chain hashed them, or not at all."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from ledger_service.chain.client import parse_block
from ledger_service.chain.headers import encode_header

# Block 1 of the Ethereum main network, as every node and explorer shows it.
HASH = "0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6"
EMPTY = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
BLOCK_1: dict[str, object] = {
    "number": "0x1",
    "hash": HASH,
    "parentHash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x05a56e2d52c817161883f50c441c3228cfe54d9f",
    "stateRoot": "0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3",
    "transactionsRoot": EMPTY,
    "receiptsRoot": EMPTY,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x3ff800000",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x55ba4224",
    "extraData": "0x476574682f76312e302e302f6c696e75782f676f312e342e32",
    "mixHash": "0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59",
    "nonce": "0x539bd4979fef1ec4",
    "transactions": [],
    "uncles": [],
}


def test_the_encoding_hashes_to_the_block() -> None:
    """The header of a public block gives the hash that the world knows."""
    encoded = encode_header(parse_block(BLOCK_1))
    assert encoded is not None
    assert "0x" + keccak(encoded).hex() == HASH


@pytest.mark.parametrize("name", ["stateRoot", "timestamp", "extraData", "nonce", "gasUsed"])
def test_a_header_that_does_not_hash_to_its_block_is_none(name: str) -> None:
    """A node that tells one field otherwise gives nothing to prove with."""
    value = str(BLOCK_1[name])
    changed = value[:-1] + ("1" if value[-1] != "1" else "2")
    assert encode_header(parse_block(BLOCK_1 | {name: changed})) is None


def test_a_header_with_a_field_missing_is_none() -> None:
    """A chain that tells headers of another shape is no error, only no proof."""
    fields = {name: value for name, value in BLOCK_1.items() if name != "mixHash"}
    assert encode_header(parse_block(fields)) is None
