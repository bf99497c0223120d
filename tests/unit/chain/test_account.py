"""The account that pays: deterministic bytes, both types of transaction, its contracts' addresses."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from ledger_service.chain.account import Call, Fees, PublisherAccount, contract_address

ACCOUNT = PublisherAccount(b"\x11" * 32)
CALL = Call(b"\x22" * 20, b"\x01\x02\x03")


@pytest.mark.parametrize("fees", [Fees(10, 1), Fees(10, None)], ids=["EIP-1559", "legacy"])
def test_the_same_plan_has_the_same_bytes(fees: Fees) -> None:
    """What is signed again after a crash is the same transaction, with the hash nodes use, by our key."""
    one = ACCOUNT.sign(CALL, chain_id=7, nonce=3, gas=50_000, fees=fees)
    other = ACCOUNT.sign(CALL, chain_id=7, nonce=3, gas=50_000, fees=fees)
    assert one == other
    assert one.hash == keccak(one.raw)
    assert Account.recover_transaction(one.raw).lower() == "0x" + ACCOUNT.address.hex()
    assert (one.raw[0] == 2) is (fees.priority_fee_wei is not None)


def test_nonce_chain_fees_and_call_are_signed() -> None:
    """Transactions that differ in anything have different hashes."""
    plain: dict[str, Any] = {"chain_id": 7, "nonce": 3, "gas": 50_000, "fees": Fees(10, 1)}
    changes: list[dict[str, Any]] = [
        {},
        {"chain_id": 8},
        {"nonce": 4},
        {"gas": 50_001},
        {"fees": Fees(11, 1)},
        {"fees": Fees(10, None)},
    ]
    hashes = {ACCOUNT.sign(CALL, **(plain | change)).hash for change in changes}
    hashes.add(ACCOUNT.sign(Call(None, CALL.data), **plain).hash)
    assert len(hashes) == len(changes) + 1


@pytest.mark.parametrize(
    ("nonce", "address"),
    [(0, "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"), (1, "343c43a37d37dff08ae8c4a11544c718abb4fcf8")],
)
def test_the_address_of_a_contract_is_known_beforehand(nonce: int, address: str) -> None:
    """Creator and nonce give the address; the values are those that go-ethereum's tests use."""
    creator = bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert contract_address(creator, nonce).hex() == address
