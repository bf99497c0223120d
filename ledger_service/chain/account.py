"""The account that pays for anchors, and the transactions it signs. Its key is used for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rlp
from eth_account import Account
from eth_utils.crypto import keccak


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers for a unit of gas, in wei; without a priority fee it is of the old type."""

    max_fee_wei: int
    priority_fee_wei: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: `to` is None for a deployment. `value` is sent along, in wei."""

    to: bytes | None
    data: bytes
    value: int = 0


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes that are broadcast, and the hash under which a node will know them."""

    raw: bytes
    hash: bytes


class PublisherAccount:
    """One secp256k1 key and its address. Signing is deterministic (RFC 6979): same input, same bytes."""

    __slots__ = ("_account", "address")

    def __init__(self, secret: bytes) -> None:
        """Use a 32-byte secret key."""
        self._account = Account.from_key(secret)
        self.address = bytes.fromhex(self._account.address[2:])

    def sign(self, call: Call, *, chain_id: int, nonce: int, gas: int, fees: Fees) -> SignedTransaction:
        """Return the signed transaction, EIP-1559 if the fees have a priority fee, else EIP-155."""
        fields: dict[str, Any] = {
            "chainId": chain_id,
            "nonce": nonce,
            "gas": gas,
            "value": call.value,
            "data": call.data,
            "to": b"" if call.to is None else call.to,
        }
        if fees.priority_fee_wei is None:
            fields["gasPrice"] = fees.max_fee_wei
        else:
            fields |= {
                "type": 2,
                "maxFeePerGas": fees.max_fee_wei,
                "maxPriorityFeePerGas": fees.priority_fee_wei,
            }
        raw = bytes(self._account.sign_transaction(fields).raw_transaction)
        return SignedTransaction(raw, keccak(raw))


def contract_address(creator: bytes, nonce: int) -> bytes:
    """Return the address of the contract that an account creates with the transaction of this nonce."""
    encoded: bytes = rlp.encode([creator, nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")])
    return keccak(encoded)[12:]
