"""Pending transactions: which are taken, in Geth's words why others are not, and in which order they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey
from rlp import decode, encode

from ledger_service.chain.embedded import pool as pool_module
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.errors import RpcError
from tests.support.embedded_chain import GAS_PRICE, PROBE_CREATION, Sender

if TYPE_CHECKING:
    from tests.support.embedded_chain import ChainBench

ANYBODY = b"\x01" * 20


@pytest.fixture
def pool(bench: ChainBench) -> PendingPool:
    """An empty pool on a new chain."""
    return PendingPool(bench.chain)


def refusal(pool: PendingPool, raw: bytes) -> str:
    """The words with which a transaction is refused."""
    with pytest.raises(RpcError) as caught:
        pool.add(raw)
    assert caught.value.number == -32000
    return caught.value.text


def test_the_same_bytes_are_already_known(bench: ChainBench, pool: PendingPool) -> None:
    """Sending a transaction again changes nothing and says "already known", before and after it is mined."""
    raw = bench.sender.sign(to=ANYBODY)
    tx_hash = pool.add(raw)
    assert refusal(pool, raw) == "already known"
    assert len(pool.ready()) == 1
    bench.mine(raw)
    pool.remove(tx_hash)
    assert refusal(pool, raw) == "already known"
    assert pool.ready() == []


def test_a_used_nonce_is_too_low(bench: ChainBench, pool: PendingPool) -> None:
    """Another transaction with a mined nonce is refused, and the words name both nonces."""
    bench.mine(bench.sender.sign(to=ANYBODY))
    other = bench.sender.sign(to=ANYBODY, nonce=0, value=5)
    assert refusal(pool, other) == "nonce too low: next nonce 1, tx nonce 0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        ({"gas": 30_029_123}, "exceeds block gas limit"),
        ({"value": 10**30}, "insufficient funds for gas * price + value: balance"),
        ({"maxPriorityFeePerGas": GAS_PRICE + 1}, "max priority fee per gas higher than max fee per gas"),
        ({"chainId": 1}, "invalid chain id for signer: have 1 want"),
    ],
)
def test_impossible_transactions_are_refused(
    bench: ChainBench, pool: PendingPool, changes: dict[str, Any], words: str
) -> None:
    """What can never be mined is refused at once, with words that a client of Geth knows."""
    assert refusal(pool, bench.sender.sign(to=ANYBODY, **changes)).startswith(words)
    assert pool.ready() == []


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_three_kinds_of_transactions_are_taken(bench: ChainBench, pool: PendingPool, kind: int) -> None:
    """Legacy (EIP-155), access-list and dynamic-fee transactions are taken and mined."""
    changes: dict[str, Any] = {"type": kind}
    if kind < 2:
        changes["gasPrice"] = GAS_PRICE
    if kind > 0:
        changes["accessList"] = [{"address": "0x" + "01" * 20, "storageKeys": ["0x" + "00" * 32]}]
    raw = bench.sender.sign(to=ANYBODY, **changes)
    tx_hash = pool.add(raw)
    assert bench.mine(raw).included == (tx_hash,)


def test_unprotected_transactions_are_refused(bench: ChainBench, pool: PendingPool) -> None:
    """A legacy transaction without a chain id would be valid on any chain, so it is refused."""
    unsigned = bench.chain.evm.get_vm_class_for_block_number(0).create_unsigned_transaction(
        nonce=0, gas_price=GAS_PRICE, gas=21_000, to=ANYBODY, value=0, data=b""
    )
    signed = unsigned.as_signed_transaction(PrivateKey(bench.sender.secret))
    assert refusal(pool, signed.encode()).startswith("only replay-protected")


def test_rubbish_is_refused(bench: ChainBench, pool: PendingPool) -> None:
    """Bytes that are no transaction, or not its one encoding, are refused and break nothing."""
    raw = bench.sender.sign(to=ANYBODY)
    for broken in (
        b"",
        b"\x02",
        b"\xc0",
        b"\x80",
        raw[:-1],
        raw + b"\x00",
        b"\x03" + raw[1:],
        b"\x04" + raw[1:],
    ):
        assert refusal(pool, broken)
    assert refusal(pool, b"\x02" + b"\x00" * (128 * 1024)).startswith("oversized data")
    flipped = 0
    for place in range(len(raw)):
        broken = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        try:
            found = pool.add(broken)
        except RpcError:
            continue
        # A flipped bit can make another sender's transaction, but that sender has no money here.
        flipped += found == bench.decode(raw).hash
    assert flipped == 0


def test_the_second_form_of_a_signature_is_refused(bench: ChainBench, pool: PendingPool) -> None:
    """A signature with s in the upper half would give the same transaction a second hash."""
    fields = decode(bench.sender.sign(to=ANYBODY)[1:])
    parity, r, s = fields[-3:]
    other_s = SECPK1_N - int.from_bytes(s, "big")
    twisted = [*fields[:-3], b"" if parity else b"\x01", r, other_s.to_bytes(32, "big").lstrip(b"\0")]
    assert "s is in the upper half" in refusal(pool, b"\x02" + encode(twisted))


def test_replacement_needs_a_tenth_more(bench: ChainBench, pool: PendingPool) -> None:
    """A transaction with the nonce of a waiting one replaces it only with both fees a tenth higher."""
    pool.add(bench.sender.sign(to=ANYBODY, maxPriorityFeePerGas=100))
    for fees in ((GAS_PRICE, 110), (GAS_PRICE * 11 // 10, 109), (GAS_PRICE * 11 // 10 - 1, 110)):
        raw = bench.sender.sign(to=ANYBODY, nonce=0, maxFeePerGas=fees[0], maxPriorityFeePerGas=fees[1])
        assert refusal(pool, raw) == "replacement transaction underpriced"
    better = bench.sender.sign(
        to=ANYBODY, nonce=0, maxFeePerGas=GAS_PRICE * 11 // 10, maxPriorityFeePerGas=110
    )
    assert pool.add(better) == bench.decode(better).hash
    assert [each.hash for each in pool.ready()] == [bench.decode(better).hash]


def test_gaps_wait_and_senders_take_turns(bench: ChainBench, pool: PendingPool) -> None:
    """Transactions leave by arrival, each sender's in the order of nonces, and nothing after a gap."""
    other = Sender(bench.sender.chain_id, secret=b"\x22" * 32)
    bench.mine(bench.sender.sign(to=other.address, value=10**18))
    order = [
        pool.add(each)
        for each in (
            bench.sender.sign(to=ANYBODY, nonce=2),
            other.sign(to=ANYBODY, nonce=0),
            bench.sender.sign(to=ANYBODY, nonce=1),
            bench.sender.sign(to=ANYBODY, nonce=4),
        )
    ]
    assert [each.hash for each in pool.ready()] == [order[1], order[2], order[0]]
    assert pool.next_nonce(bench.sender.address) == 3  # type: ignore[arg-type]
    assert pool.next_nonce(other.address) == 1  # type: ignore[arg-type]


def test_mined_transactions_are_forgotten(bench: ChainBench, pool: PendingPool) -> None:
    """What the chain has overtaken leaves the pool, also when it was mined under another hash."""
    pool.add(bench.sender.sign(to=ANYBODY, data=b""))
    bench.mine(bench.sender.sign(to=ANYBODY, nonce=0, data=b"\x01"))
    assert pool.ready() == []
    assert pool.next_nonce(bench.sender.address) == 1  # type: ignore[arg-type]


def test_the_pool_has_an_end(bench: ChainBench, pool: PendingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full pool refuses more instead of growing."""
    monkeypatch.setattr(pool_module, "MAX_POOL", 3)
    for _ in range(3):
        pool.add(bench.sender.sign(to=ANYBODY))
    assert refusal(pool, bench.sender.sign(to=ANYBODY)) == "txpool is full"
    assert len(pool.ready()) == 3


def test_a_waiting_transaction_is_found(bench: ChainBench, pool: PendingPool) -> None:
    """A waiting transaction is found by its hash, with the data it came with."""
    raw = bench.sender.sign(data=PROBE_CREATION)
    found = pool.find(pool.add(raw))
    assert found is not None
    assert (found.data, found.encode()) == (PROBE_CREATION, raw)
