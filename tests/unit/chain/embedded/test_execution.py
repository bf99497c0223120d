"""Calls and estimates: what a contract answers without a transaction, and how a refusal reaches the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode

from ledger_service.chain.account import contract_address
from ledger_service.chain.embedded.execution import Call, call, estimate_gas
from ledger_service.errors import RpcError
from tests.support.embedded_chain import REFUSED

if TYPE_CHECKING:
    from tests.support.embedded_chain import ChainBench

POOR = b"\x99" * 20


def creation_of(runtime: bytes) -> bytes:
    """The creation code of a contract with up to 255 bytes of code."""
    return bytes.fromhex(f"60{len(runtime):02x}600a5f3960{len(runtime):02x}5ff3") + runtime


def deploy(bench: ChainBench, runtime: str) -> Any:
    """The address of a contract with this code."""
    nonce = bench.sender.nonce
    bench.mine(bench.sender.sign(data=creation_of(bytes.fromhex(runtime))))
    return contract_address(bench.sender.address, nonce)


def asked(bench: ChainBench, **fields: Any) -> bytes:
    """What a call answers at the newest block."""
    return call(bench.chain, Call(**fields), bench.chain.head())


def refused(bench: ChainBench, **fields: Any) -> RpcError:
    """The error that a call is answered with."""
    with pytest.raises(RpcError) as caught:
        asked(bench, **fields)
    return caught.value


def test_anybody_may_call(bench: ChainBench) -> None:
    """A caller without money, nonce or key gets the answer, and nothing on the chain changes."""
    probe = bench.deploy_probe()
    head = bench.chain.head()
    for sender in (b"\x00" * 20, POOR, bench.sender.address, probe):
        assert asked(bench, sender=sender, to=probe, data=b"x") == (42).to_bytes(32, "big")
    assert bench.chain.head() == head
    assert bench.chain.state(head).get_storage(probe, head.block_number) == 0  # type: ignore[arg-type]


def test_a_custom_error_comes_with_its_bytes(bench: ChainBench) -> None:
    """A revert is error 3, and its data is exactly the contract's: selector and values."""
    probe = bench.deploy_probe()
    error = refused(bench, to=probe)
    assert (error.number, error.text) == (3, "execution reverted")
    assert error.data == REFUSED + (42).to_bytes(32, "big")


def test_a_reason_is_shown_in_words(bench: ChainBench) -> None:
    """A revert with Error(string) has its reason in the message; one with broken data has none."""
    data = bytes.fromhex("08c379a0") + encode(["string"], ["not today"])
    copy = f"60{len(data):02x}600a5f3960{len(data):02x}5ffd"
    contract = deploy(bench, copy + data.hex())
    assert refused(bench, to=contract).text == "execution reverted: not today"
    broken = bytes.fromhex("08c379a0") + b"\xff" * 40
    copy = f"60{len(broken):02x}600a5f3960{len(broken):02x}5ffd"
    error = refused(bench, to=deploy(bench, copy + broken.hex()))
    assert (error.text, error.data) == ("execution reverted", broken)


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ("5b5f56", "out of gas"),
        ("fe", "InvalidInstruction"),
        ("50", "InsufficientStack"),
        ("60ff56", "InvalidJump"),
    ],
)
def test_other_failures_are_not_reverts(bench: ChainBench, runtime: str, words: str) -> None:
    """A call that breaks without reverting is error -32000 without data."""
    error = refused(bench, to=deploy(bench, runtime), gas=100_000)
    assert (error.number, error.data) == (-32000, None)
    assert words in error.text


def test_a_call_sees_its_block(bench: ChainBench) -> None:
    """Number, time and earlier hashes inside a call are those of the block it is made at."""
    contract = deploy(bench, "435f5242602052600143034060405260605ff3")
    bench.mine(bench.sender.sign(to=POOR))
    for number in (1, 2):
        header = bench.chain.header_at(number)
        assert header is not None
        output = call(bench.chain, Call(to=contract), header)
        words = [int.from_bytes(output[i : i + 32], "big") for i in range(0, 96, 32)]
        assert words == [number, header.timestamp, int.from_bytes(header.parent_hash, "big")]


def test_value_and_fees_need_money(bench: ChainBench) -> None:
    """A call with a value or a price needs a sender who has it; a price below the base fee is refused."""
    assert asked(bench, sender=bench.sender.address, to=POOR, value_wei=10**18) == b""
    assert "insufficient funds" in refused(bench, sender=POOR, to=POOR, value_wei=1).text
    assert (
        "insufficient funds" in refused(bench, sender=POOR, to=POOR, max_fee_wei=2 * 10**9, gas=21_000).text
    )
    assert "less than block base fee" in refused(bench, sender=POOR, to=POOR, max_fee_wei=1, gas=21_000).text


def test_too_little_gas_is_named(bench: ChainBench) -> None:
    """A call with less gas than a transaction costs before it begins says so."""
    assert refused(bench, to=POOR, gas=20_000).text == "intrinsic gas too low: have 20000, want 21000"
    assert refused(bench, to=POOR, gas=21_000, data=b"\x01").number == -32000


@pytest.mark.parametrize("data", [b"x", b"\x00" * 1_000, b"\xff" * 3_000])
def test_an_estimate_suffices(bench: ChainBench, data: bytes) -> None:
    """A transaction with the estimated gas is mined with success, and the estimate is not far from what it uses."""
    probe = bench.deploy_probe()
    request = Call(sender=bench.sender.address, to=probe, data=data)  # type: ignore[arg-type]
    gas = estimate_gas(bench.chain, request, bench.chain.head())
    (tx_hash,) = bench.mine(bench.sender.sign(to=probe, data=data, gas=gas)).included
    found = bench.chain.receipt(tx_hash)
    assert found is not None
    assert found.receipt.state_root == b"\x01"
    assert found.gas_used <= gas <= found.gas_used * 1.15


def test_a_transfer_is_estimated_exactly(bench: ChainBench) -> None:
    """Sending money costs 21,000, and so says the estimate."""
    request = Call(sender=bench.sender.address, to=POOR, value_wei=1)  # type: ignore[arg-type]
    assert estimate_gas(bench.chain, request, bench.chain.head()) == 21_000


def test_an_estimate_of_a_refusal_is_the_refusal(bench: ChainBench) -> None:
    """What would revert has no estimate; the custom error comes instead."""
    probe = bench.deploy_probe()
    with pytest.raises(RpcError) as caught:
        estimate_gas(bench.chain, Call(to=probe), bench.chain.head())
    assert caught.value.data == REFUSED + (42).to_bytes(32, "big")


def test_an_estimate_stays_within_the_purse(bench: ChainBench) -> None:
    """With a price given, no more gas is tried than the sender can pay."""
    probe = bench.deploy_probe()
    bench.mine(bench.sender.sign(to=POOR, value=30_000 * 10**9))
    request = Call(sender=POOR, to=probe, data=b"x", max_fee_wei=10**9)  # type: ignore[arg-type]
    with pytest.raises(RpcError):
        estimate_gas(bench.chain, request, bench.chain.head())
    assert estimate_gas(bench.chain, Call(to=probe, data=b"x"), bench.chain.head()) > 30_000
