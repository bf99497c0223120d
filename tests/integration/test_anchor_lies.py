"""Nodes that cannot name blocks by hash, lag behind, or tell things that do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.errors import BlockGoneError, ChainRefusedError, ChainUnavailableError
from tests.support.anchoring import AnchoringRig
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.anvil import Anvil

OTHER = "0x" + "ab" * 32


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[FaultProxy]:
    """A proxy in front of a fresh Anvil."""
    with FaultProxy(anvil.url) as made:
        yield made


@pytest.fixture
def rig(proxy: FaultProxy, anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer behind the proxy with one final anchor."""
    made = AnchoringRig.create(proxy.url, tmp_path)
    made.settle()
    anvil.mine(1)
    made.settle()
    yield made
    made.close()


def refuse_hashes(request: Any) -> Any:
    """The answer of a node that knows no EIP-1898."""
    if any(isinstance(each, dict) and "blockHash" in each for each in request["params"][1:]):
        return {"error": {"code": -32602, "message": "invalid argument: block must be a number"}}
    return None


def test_a_node_that_knows_numbers_only_serves_as_well(
    proxy: FaultProxy, anvil: Anvil, tmp_path: Path
) -> None:
    """Where a block cannot be named by hash, it is read by number between two looks at its hash."""
    proxy.answer_for(refuse_hashes)
    rig = AnchoringRig.create(proxy.url, tmp_path)
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    head = rig.node.newest()
    anvil.reorganize(1)
    with pytest.raises(BlockGoneError):
        rig.node.nonce(rig.account.address, at=head)
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    rig.close()


def test_another_refusal_is_not_taken_for_that(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """Only wrong parameters mean that hashes are not understood; a failing node stays a failing node."""
    proxy.answer_for(
        lambda request: (
            {"error": {"code": -32603, "message": "oops"}} if "getCode" in request["method"] else None
        )
    )
    with pytest.raises(ChainRefusedError):
        rig.anchorer.step()


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", "0xfffff"), ("hash", "0x12"), ("timestamp", "soon"), ("number", None), ("gasLimit", "0x00")],
)
def test_a_block_that_is_none_is_not_believed(
    rig: AnchoringRig, proxy: FaultProxy, field: str, value: object
) -> None:
    """A block with another number than was asked for, or with malformed fields, is no answer."""
    proxy.change(
        "eth_getBlockByNumber", lambda answer: answer | {"result": answer["result"] | {field: value}}
    )
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    assert rig.stages() == {5: "final"}


def test_a_node_without_blocks_is_away(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """A node that has not begun to synchronize says nothing about the chain."""
    proxy.change("eth_getBlockByNumber", lambda answer: answer | {"result": None})
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()


def test_a_node_that_lags_behind_changes_nothing(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """A node that has not come as far as our final anchor is away: nothing is disputed, lost or sent."""
    first = rig.node.rpc.ask("eth_getBlockByNumber", "0x2", False)  # noqa: FBT003
    rig.paper.grow(1)
    sent = proxy.seen["eth_sendRawTransaction"]
    proxy.answer_for(lambda request: {"result": first} if request["params"][:1] == ["latest"] else None)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    assert rig.stages() == {5: "final"}
    assert (rig.alarms(), proxy.seen["eth_sendRawTransaction"]) == (set(), sent)


def test_a_hidden_event_is_not_a_missing_head(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """The state holds the head; a node that does not tell its event is not believed about either."""
    rig.paper.grow(1)
    rig.step()
    proxy.change("eth_getLogs", lambda answer: answer | {"result": []})
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    assert rig.stages()[6] == "published"


def test_an_event_in_another_block_is_not_believed(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """An event that names a block which is not in the chain does not anchor anything."""
    rig.paper.grow(1)
    rig.step()

    def move(answer: Any) -> Any:
        return answer | {"result": [event | {"blockHash": OTHER} for event in answer["result"]]}

    proxy.change("eth_getLogs", move)
    with pytest.raises(BlockGoneError):
        rig.anchorer.step()
    assert rig.stages()[6] == "published"


def test_another_time_than_the_contract_saw_is_not_believed(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """The head carries the block's time; a node that tells another one contradicts itself."""
    rig.paper.grow(1)
    rig.step()

    def later(answer: Any) -> Any:
        block = answer["result"]
        return answer | {"result": block | {"timestamp": hex(int(block["timestamp"], 16) - 9)}}

    proxy.change("eth_getBlockByNumber", later)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    assert rig.stages()[6] == "published"


def test_a_forged_head_does_not_pass_for_ours(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """A node that invents an event for a planned size is checked against the contract's own state."""
    contract, now = rig.contract(), rig.node.newest()
    log_id = contract.find_log(rig.account.address, rig.paper.origin, at=now)
    assert log_id is not None

    def forge(answer: Any) -> Any:
        return answer | {
            "result": [event | {"data": "0x" + "11" * 32 + event["data"][66:]} for event in answer["result"]]
        }

    proxy.change("eth_getLogs", forge)
    with pytest.raises(ChainUnavailableError):
        contract.find_head(log_id, 5, at=now)
    assert contract.find_head(log_id, 4, at=now) is None
