"""Parameters: exactly the formats of the specification, and nothing that would have to be ignored."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_service.chain.embedded import params
from ledger_service.chain.embedded.execution import Call
from ledger_service.errors import RpcError

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "cd" * 20


def is_refused(parse: Any, value: object) -> None:
    """Whether a parser answers a value with -32602."""
    with pytest.raises(RpcError) as caught:
        parse(value)
    assert caught.value.number == -32602


@pytest.mark.parametrize(
    ("text", "number"), [("0x0", 0), ("0x1f", 31), ("0xFF", 255), ("0x" + "f" * 64, 2**256 - 1)]
)
def test_quantities(text: str, number: int) -> None:
    """A quantity is 0x and hexadecimal digits without leading zeros, up to 256 bits."""
    assert params.parse_quantity(text, what="n") == number


@pytest.mark.parametrize(
    "value",
    ["", "0x", "0x00", "0x01", "1", "1f", "0xg", "0x-1", " 0x1", "0x1\n", "0x1_0", "+0x1", "0x" + "f" * 65, 1, 1.0,
     None, True, [], {}],
)  # fmt: skip
def test_malformed_quantities_are_refused(value: object) -> None:
    """Everything else is refused."""
    with pytest.raises(RpcError):
        params.parse_quantity(value, what="n")


@pytest.mark.parametrize(
    "value", ["", "00", "0x0", "0x123", "0xzz", "0x00 ", "0x\n", "0x0_0", 0, None, b"", ["0x"]]
)
def test_malformed_data_is_refused(value: object) -> None:
    """Data is 0x and pairs of hexadecimal digits, nothing else."""
    with pytest.raises(RpcError):
        params.parse_data(value, what="data")


def test_sizes_are_exact() -> None:
    """A hash has 32 bytes and an address 20."""
    assert params.parse_hash(HASH) == b"\xab" * 32
    assert params.parse_address(ADDRESS) == b"\xcd" * 20
    for value in (HASH[:-2], HASH + "00", ADDRESS):
        is_refused(params.parse_hash, value)
    for value in (ADDRESS[:-2], ADDRESS + "00", HASH):
        is_refused(params.parse_address, value)


def test_blocks_have_three_kinds_of_names() -> None:
    """A block is named by a tag, a number, a hash, or an EIP-1898 object."""
    assert params.parse_block_name("safe") == "safe"
    assert params.parse_block_name("0x10") == 16
    assert params.parse_block_name(HASH) == b"\xab" * 32
    assert params.parse_block_name({"blockNumber": "0x10"}) == 16
    assert params.parse_block_name({"blockHash": HASH, "requireCanonical": True}) == b"\xab" * 32
    wrong: tuple[object, ...] = (
        "newest", "LATEST", 16, None, {}, {"blockHash": HASH, "blockNumber": "0x1"}, {"blockHash": "0x1"},
                  {"blockHash": HASH, "requireCanonical": "yes"}, {"blockHash": HASH, "more": 1}, [], "0x010",
    )  # fmt: skip
    for value in wrong:
        is_refused(params.parse_block_name, value)


def test_a_call_is_read_field_by_field() -> None:
    """All fields of a call arrive where they belong, and absent or null ones have Geth's defaults."""
    assert params.parse_call({}) == Call()
    assert params.parse_call({"to": None, "from": None, "gas": None}) == Call()
    full = {
        "from": ADDRESS, "to": ADDRESS, "gas": "0x5208", "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x2",
        "value": "0x1", "input": "0xff", "data": "0xff", "accessList": [{"address": ADDRESS, "storageKeys": [HASH]}],
        "nonce": "0x1", "type": "0x2", "chainId": "0x1",
    }  # fmt: skip
    address = params.parse_address(ADDRESS)
    assert params.parse_call(full) == Call(
        sender=address, to=address, gas=21_000, max_fee_wei=9, tip_wei=2, value_wei=1, data=b"\xff",
        access_list=((address, (int(HASH, 16),)),),
    )  # fmt: skip
    assert params.parse_call({"gasPrice": "0x7"}) == Call(max_fee_wei=7, tip_wei=7)


@pytest.mark.parametrize(
    "value",
    [
        None, [], "call", {"unknown": 1}, {"input": "0x01", "data": "0x02"}, {"gasPrice": "0x1", "maxFeePerGas": "0x1"},
        {"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}, {"to": "0x1"}, {"gas": 5}, {"accessList": {}},
        {"accessList": [ADDRESS]}, {"accessList": [{"address": ADDRESS, "storageKeys": ["0x1"]}]},
        {"blobVersionedHashes": []}, {"authorizationList": []},
    ],
)  # fmt: skip
def test_calls_we_would_misread_are_refused(value: object) -> None:
    """A call with contradictions, malformed fields, or fields that we would ignore is refused."""
    with pytest.raises(RpcError):
        params.parse_call(value)


def test_log_filters() -> None:
    """A filter's addresses and topics may be one, many or any."""
    found = params.parse_log_filter({"address": ADDRESS, "topics": [None, HASH, [HASH, HASH], []]})
    assert found["addresses"] == (b"\xcd" * 20,)
    assert found["topics"] == ((), (b"\xab" * 32,), (b"\xab" * 32,) * 2, ())
    assert (found["first"], found["last"], found["block"]) == ("latest", "latest", None)
    assert params.parse_log_filter({"blockHash": HASH})["block"] == b"\xab" * 32
    for value in (None, {"blockHash": HASH, "fromBlock": "0x1"}, {"topics": [HASH] * 5}, {"topics": HASH}, {"limit": 1},
                  {"address": [ADDRESS] * 1_001}, {"topics": [["0x1"]]}):  # fmt: skip
        is_refused(params.parse_log_filter, value)


def test_percentiles() -> None:
    """Percentiles are ascending numbers from 0 to 100."""
    assert params.parse_percentiles([0, 12.5, 100]) == (0.0, 12.5, 100.0)
    for value in (None, [-1], [101], [5, 4], [True], ["5"], [1] * 101):
        is_refused(params.parse_percentiles, value)


def test_slots() -> None:
    """A storage slot is a quantity or 32 bytes."""
    assert params.parse_slot("0x1") == 1
    assert params.parse_slot("0x" + "00" * 31 + "01") == 1
    for value in ("0x01", 1, "0x" + "0" * 65):
        is_refused(params.parse_slot, value)
