"""The embedded chain beside Anvil, an EVM by somebody else: the same transactions, the same answers."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger_service.chain.embedded.supervisor import EmbeddedNode
from tests.support.anchored_log import AnchoredLog, anchor_log
from tests.support.anvil import FUNDED_KEYS, Anvil
from tests.support.embedded_chain import Sender
from tests.support.json_rpc import JsonRpc

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = FUNDED_KEYS[0]
UNKNOWN_LOG = f"0x{(keccak(b'logState(bytes32)')[:4] + bytes(32)).hex()}"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnchoredLog, AnchoredLog]]:
    """The same log, anchored by the same transactions on our chain and on Anvil."""
    path = tmp_path_factory.mktemp("agrees") / "chain.sqlite"
    with (
        EmbeddedNode(path, funded=Sender(1, SECRET).address) as node,
        Anvil.start(options=("--hardfork", "prague")) as anvil,
    ):
        yield anchor_log(node.url, SECRET), anchor_log(anvil.url, SECRET)


def ask(url: str, method: str, *given: object) -> Any:
    """The whole answer of a node, error or not."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": given}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def execution_gas(rpc: JsonRpc, receipt: dict[str, Any]) -> int:
    """The gas used without that of the call data (EIP-2028), whose zero bytes differ with the log's id."""
    data = bytes.fromhex(rpc.call("eth_getTransactionByHash", receipt["transactionHash"])["input"][2:])
    return int(receipt["gasUsed"], 16) - 16 * len(data) + 12 * data.count(0)


def outline(log: AnchoredLog) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """Status, gas and logs (first topic, size of the data) of every transaction of a chain."""
    rpc = JsonRpc(log.url)
    return [
        (
            each["status"],
            execution_gas(rpc, each),
            [(one["topics"][0], len(one["data"])) for one in each["logs"]],
        )
        for number in range(1, rpc.number("eth_blockNumber") + 1)
        for each in rpc.call("eth_getBlockReceipts", hex(number))
    ]


def test_the_same_gas_is_used(both: tuple[AnchoredLog, AnchoredLog]) -> None:
    """Deploying, opening a log and publishing cost the same gas to the unit and write the same logs."""
    ours, theirs = both
    assert outline(ours) == outline(theirs)
    assert len(outline(ours)) == 3


def test_a_custom_error_looks_the_same(both: tuple[AnchoredLog, AnchoredLog]) -> None:
    """A refused call and a refused estimate have the same error number and the same bytes on both."""
    expected = f"0x{(keccak(b'UnknownLog(bytes32)')[:4] + encode(['bytes32'], [bytes(32)])).hex()}"
    for method in ("eth_call", "eth_estimateGas"):
        errors = [
            ask(each.url, method, {"to": each.contract, "data": UNKNOWN_LOG}, "latest")["error"]
            for each in both
        ]
        assert [(each["code"], each["data"]) for each in errors] == [(3, expected)] * 2


def test_an_estimate_is_as_good(both: tuple[AnchoredLog, AnchoredLog]) -> None:
    """The same call is estimated within two hundredths of what Anvil says."""
    data = keccak(b"open(string,address,address)")[:4] + encode(
        ["string", "address", "address"], ["ledger.example/logs/a/b", "0x" + "01" * 20, "0x" + "02" * 20]
    )
    ours, theirs = (
        int(
            ask(e.url, "eth_estimateGas", {"from": e.publisher, "to": e.contract, "data": f"0x{data.hex()}"})[
                "result"
            ],
            16,
        )
        for e in both
    )
    assert abs(ours - theirs) <= theirs / 50


def show(log: AnchoredLog, kind: str) -> Any:
    """One thing of a kind, as the node shows it."""
    rpc = JsonRpc(log.url)
    if kind == "transaction":
        return rpc.call("eth_getTransactionByHash", log.publish_tx)
    if kind in {"receipt", "log"}:
        receipt = rpc.call("eth_getTransactionReceipt", log.publish_tx)
        return receipt if kind == "receipt" else receipt["logs"][0]
    whole = kind == "whole block"
    block = rpc.call("eth_getBlockByNumber", "latest", whole)
    return block["transactions"][0] if whole else block


@pytest.mark.parametrize("kind", ["block", "whole block", "transaction", "receipt", "log"])
def test_answers_have_the_same_fields(both: tuple[AnchoredLog, AnchoredLog], kind: str) -> None:
    """Every field that Anvil shows of a thing we show as well, with the same form of value."""
    ours, theirs = (show(each, kind) for each in both)
    # Anvil adds what belongs to blobs, to chains before the merge, or to newer versions of Geth than the specification.
    extra = {"blobGasPrice", "blobGasUsed", "totalDifficulty", "blockTimestamp"}
    assert theirs.keys() - ours.keys() <= extra
    for name in ours.keys() & theirs.keys():
        assert type(ours[name]) is type(theirs[name]), name
        if isinstance(ours[name], str):
            assert ours[name].startswith("0x") == theirs[name].startswith("0x"), name
