"""Whatever is sent, the answer is a result or an error of the protocol: nothing breaks inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth.constants import SECPK1_N
from rlp import decode, encode

from ledger_service.chain.embedded.miner import Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.chain.embedded.rpc import RpcMethods
from ledger_service.errors import RpcError
from tests.support.embedded_chain import GAS_PRICE

if TYPE_CHECKING:
    import random

    from tests.support.embedded_chain import ChainBench

ANYBODY = b"\x01" * 20
ROUNDS = 3_000
FIELDS: tuple[Any, ...] = (
    b"", b"\x00", b"\x01", b"\xff" * 8, b"\xff" * 9, b"\xff" * 32, b"\xff" * 33, b"\x80" * 20,
    SECPK1_N.to_bytes(32, "big"), (SECPK1_N - 1).to_bytes(32, "big"), [], [b""],
    [[ANYBODY, [b"\x00" * 32]]], [[b"\x01" * 19, []]],
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, "", "0x", "0x0", "0x1", "0x01", "latest", "pending", "earliest", "soon",
    "0x" + "ff" * 20, "0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "f" * 64, "0x7fffffffffffffff", "0xffffffffffffffff",
    "0x" + "f" * 65, "0x\x00", "\ud800", [], {}, [None], [["0x" + "00" * 32]], [0, 50, 100],
    {"to": "0x" + "01" * 20}, {"to": "0x" + "01" * 20, "value": "0x" + "f" * 64}, {"gas": "0x" + "f" * 64},
    {"maxFeePerGas": "0x" + "f" * 64}, {"data": "0x" + "fe" * 100}, {"data": "0x" + "5b5f56" * 3, "gas": "0x186a0"},
    {"to": "0x" + "00" * 19 + "05", "input": "0x" + "ff" * 300, "gas": "0x30d40"},
    {"to": "0x" + "00" * 19 + "01", "input": "0x" + "ff" * 128},
    {"to": "0x" + "00" * 19 + "0a", "input": "0x" + "11" * 192},
    {"accessList": [{"address": "0x" + "01" * 20, "storageKeys": ["0x" + "00" * 32] * 3}]},
    {"fromBlock": "0x0", "toBlock": "0x" + "f" * 64},
    {"fromBlock": "0x0", "address": ["0x" + "01" * 20], "topics": [None, []]},
    {"blockHash": "0x" + "00" * 32}, {"blockNumber": "0x0"}, {"blockHash": "0x" + "00" * 32, "requireCanonical": True},
)  # fmt: skip


@pytest.fixture
def pool(bench: ChainBench) -> PendingPool:
    """An empty pool on a new chain."""
    return PendingPool(bench.chain)


def raws_of(bench: ChainBench) -> list[bytes]:
    """One good transaction of each kind."""
    item = {"address": f"0x{ANYBODY.hex()}", "storageKeys": ["0x" + "00" * 32]}
    kinds: list[dict[str, Any]] = [
        {},
        {"type": 1, "gasPrice": GAS_PRICE, "accessList": [item]},
        {"type": 0, "gasPrice": GAS_PRICE},
    ]
    return [bench.sender.sign(to=ANYBODY, nonce=0, **kind) for kind in kinds]


def offered(pool: PendingPool, raw: bytes) -> bool:
    """Offer bytes; whether they were taken. Anything but RpcError is a defect and comes through."""
    try:
        pool.add(raw)
    except RpcError:
        return False
    return True


def test_damaged_transactions_are_refused(bench: ChainBench, pool: PendingPool, rng: random.Random) -> None:
    """Transactions with bytes changed, left out or put in are refused in words, or are another sender's own."""
    raws = raws_of(bench)
    refused = 0
    for _ in range(ROUNDS):
        raw = bytearray(rng.choice(raws))
        for _ in range(rng.choice([1, 1, 2, 5])):
            place = rng.randrange(len(raw))
            raw[place : place + rng.randrange(2)] = rng.randbytes(rng.randrange(2))
        refused += not offered(pool, bytes(raw))
    assert refused > ROUNDS * 0.7


def test_impossible_fields_are_refused(bench: ChainBench, pool: PendingPool) -> None:
    """Every field of every kind of transaction takes every strange value in turn, and nothing breaks."""
    tried = 0
    for raw in raws_of(bench):
        kind = raw[:1] if raw[0] < 0x80 else b""
        fields = decode(raw[len(kind) :])
        for place in range(len(fields)):
            for value in FIELDS:
                offered(pool, kind + encode([*fields[:place], value, *fields[place + 1 :]]))
                tried += 1
    assert tried == sum(14 * fields for fields in (12, 11, 9))


def test_no_parameters_break_a_method(bench: ChainBench, pool: PendingPool, rng: random.Random) -> None:
    """Every method answers every kind of parameter with a result or an error of the protocol."""
    bench.deploy_probe()
    methods = RpcMethods(bench.chain, pool, Miner(bench.chain, pool, bench.clock))
    numbers: set[int] = set()
    names = sorted(methods.names)
    for _ in range(ROUNDS):
        given = [rng.choice(VALUES) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 4]))]
        try:
            methods.answer(rng.choice(names), given)
        except RpcError as error:
            numbers.add(error.number)
    assert numbers <= {-32000, -32602, 3}
    assert -32602 in numbers
