"""The chain as an unreliable remote: lost answers, dropped transactions, crashes, fee spikes and lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.account import Call, Fees, PublisherAccount
from ledger_service.chain.alarms import AlarmCode
from ledger_service.errors import ChainAheadError, ChainUnavailableError, StorageError
from ledger_service.storage import failpoints
from tests.support.anchoring import AnchoringRig
from tests.support.anvil import FUNDED_KEYS, Anvil
from tests.support.fault_proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEND = "eth_sendRawTransaction"


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[FaultProxy]:
    """A proxy in front of a fresh Anvil."""
    with FaultProxy(anvil.url) as made:
        yield made


@pytest.fixture
def rig(proxy: FaultProxy, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer behind the proxy that has anchored five entries already."""
    made = AnchoringRig.create(proxy.url, tmp_path, timeout_s=3, replace_after_blocks=3)
    made.settle()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint outlives its test."""
    yield
    failpoints.disarm()


def pool(anvil: Anvil, *, mine: bool) -> None:
    """Make blocks for transactions by themselves, or not."""
    anvil.rpc.call("evm_setAutomine", mine)


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.HOLD_ANSWER, Fault.GARBLE_ANSWER])
def test_an_answer_lost_after_the_node_took_it_leads_to_one_anchor(
    rig: AnchoringRig, proxy: FaultProxy, fault: Fault
) -> None:
    """An RPC that times out after accepting the transaction does not lead to a second one."""
    rig.paper.grow(1)
    proxy.fault(SEND, fault)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    rig.settle()
    assert [head.size for head in rig.heads_on_chain()] == [5, 6]
    assert len(rig.actions("publish")) == 2
    assert len(rig.transactions(rig.actions("publish")[-1].id)) == 1


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.FAIL_GATEWAY])
def test_a_request_that_never_arrived_is_sent_again_as_the_same_bytes(
    rig: AnchoringRig, proxy: FaultProxy, fault: Fault
) -> None:
    """What is planned is broadcast until it arrives, with the hash it had from the beginning."""
    rig.paper.grow(1)
    proxy.fault(SEND, fault)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    planned = rig.transactions(rig.actions("publish")[-1].id)
    rig.settle()
    assert rig.sightings()[-1].tx_hash == planned[0].tx_hash
    assert rig.stages()[6] == "anchored"


def test_every_lost_answer_of_a_step_is_survived(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """Whichever request of an anchor loses its answer, one anchor comes of it."""
    rig.paper.grow(1)
    before = proxy.seen.copy()
    rig.settle()
    asked = (proxy.seen - before).keys()
    for size, method in enumerate(sorted(asked), start=7):
        rig.paper.grow(1)
        proxy.fault(method, Fault.LOSE_ANSWER)
        rig.step_until(ChainUnavailableError)
        rig.settle()
        assert rig.stages()[size] in {"anchored", "final"}
    assert [head.size for head in rig.heads_on_chain()] == [5, *range(6, 7 + len(asked))]


def test_a_dropped_transaction_is_sent_again(rig: AnchoringRig, anvil: Anvil) -> None:
    """A transaction that fell out of the pool is broadcast as the same bytes."""
    pool(anvil, mine=False)
    rig.paper.grow(1)
    rig.step()
    (planned,) = rig.transactions(rig.actions("publish")[-1].id)
    anvil.rpc.call("anvil_dropTransaction", "0x" + planned.tx_hash.hex())
    anvil.mine()
    rig.step()
    anvil.mine()
    rig.settle()
    assert rig.sightings()[-1].tx_hash == planned.tx_hash


def test_a_stuck_transaction_is_replaced_with_the_same_call(rig: AnchoringRig, anvil: Anvil) -> None:
    """After some blocks the same nonce and calldata go out with a higher fee, and either one counts."""
    pool(anvil, mine=False)
    rig.paper.grow(1)
    rig.step()
    action = rig.actions("publish")[-1]
    for _ in range(3):
        (hash_,) = {variant.tx_hash for variant in rig.transactions(action.id)}
        anvil.rpc.call("anvil_dropTransaction", "0x" + hash_.hex())
        anvil.mine()
    rig.step()
    first, second = rig.transactions(action.id)
    assert second.max_fee_wei > first.max_fee_wei
    assert second.priority_fee_wei > first.priority_fee_wei
    anvil.mine()
    rig.settle()
    assert rig.sightings()[-1].tx_hash == second.tx_hash
    assert len(rig.actions("publish")) == 2


def test_the_older_of_two_variants_counts_as_well(rig: AnchoringRig, anvil: Anvil) -> None:
    """Success is the contract's head: it does not matter which of our transactions brought it."""
    pool(anvil, mine=False)
    rig.paper.grow(1)
    rig.step()
    action = rig.actions("publish")[-1]
    first = rig.transactions(action.id)[0]
    anvil.rpc.call("anvil_dropTransaction", "0x" + first.tx_hash.hex())
    anvil.mine(3)
    rig.step()
    second = rig.transactions(action.id)[1]
    anvil.rpc.call("anvil_dropTransaction", "0x" + second.tx_hash.hex())
    anvil.rpc.call(SEND, "0x" + first.raw.hex())
    anvil.mine()
    rig.settle()
    assert rig.sightings()[-1].tx_hash == first.tx_hash
    assert rig.alarms() == set()


@pytest.mark.parametrize("step", ["chain.plan", "chain.broadcast", "chain.observe"])
@pytest.mark.parametrize("action", ["fail", "fail-done"])
def test_each_durable_step_may_fail_either_way(
    rig: AnchoringRig, anvil: Anvil, tmp_path: Path, step: str, action: str
) -> None:
    """Not done, or done and not heard of: a new process on the same database makes one anchor of it."""
    rig.paper.grow(1)
    failpoints.arm(f"{step}={action}")
    rig.step_until(StorageError)
    again = AnchoringRig(anvil.url, f"sqlite:///{tmp_path / 'ledger.db'}", papers=rig.logs)
    again.settle()
    assert [head.size for head in again.heads_on_chain()] == [5, 6]
    assert again.stages() == {5: "final", 6: "anchored"} or again.stages() == {5: "anchored", 6: "anchored"}
    again.close()


def test_an_anchor_made_by_a_lost_database_is_found(rig: AnchoringRig, anvil: Anvil, tmp_path: Path) -> None:
    """A database that knows nothing of the chain finds its contract's head instead of making another."""
    chain = rig.pins.pinned()
    assert chain is not None
    pin = rig.pins.contract(chain, "PurchaseLedger")
    assert pin is not None
    (tmp_path / "new").mkdir()
    fresh = AnchoringRig.create(anvil.url, tmp_path / "new", papers=rig.logs)
    pinned = fresh.pins.check(fresh.node, self_anchored=False)
    fresh.pins.adopt(pinned, "PurchaseLedger", address=pin.address, first_block=1)
    fresh.settle()
    assert fresh.stages() == {5: "final"} or fresh.stages() == {5: "anchored"}
    assert [len(fresh.actions(kind)) for kind in ("deploy", "open", "publish")] == [0, 0, 0]
    fresh.close()


def test_an_empty_account_waits_with_an_alarm(rig: AnchoringRig, anvil: Anvil) -> None:
    """Without money nothing is lost: the alarm says so, and with money the same plan goes through."""
    account = "0x" + rig.account.address.hex()
    anvil.rpc.call("anvil_setBalance", account, "0x0")
    rig.paper.grow(1)
    rig.step()
    assert rig.alarms() == {AlarmCode.NO_FUNDS}
    anvil.rpc.call("anvil_setBalance", account, hex(10**18))
    rig.settle()
    assert rig.stages()[6] == "anchored"
    assert rig.alarms() == set()


def test_a_fee_spike_is_followed_up_to_the_limit(rig: AnchoringRig, anvil: Anvil) -> None:
    """A base fee above what was offered leads to a higher offer; above the limit to an alarm and waiting."""
    pool(anvil, mine=False)
    rig.paper.grow(1)
    rig.step()
    anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(100 * 10**9))
    anvil.mine()
    rig.step()
    anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(600 * 10**9))
    anvil.mine()
    rig.paper.grow(1)
    for _ in range(3):
        rig.step()
        anvil.mine()
    for _ in range(40):
        anvil.mine()
    pool(anvil, mine=True)
    rig.settle()
    assert [head.size for head in rig.heads_on_chain()][-1] == 7


def test_a_chain_in_the_future_is_not_anchored_to(rig: AnchoringRig, anvil: Anvil) -> None:
    """When the chain's clock runs ahead of ours an anchor's time would be a lie, so there is none."""
    anvil.rpc.call("evm_increaseTime", 3600)
    anvil.mine()
    rig.paper.grow(1)
    with pytest.raises(ChainAheadError):
        rig.anchorer.step()
    assert AlarmCode.CHAIN_AHEAD in rig.alarms()
    assert [head.size for head in rig.heads_on_chain()] == [5]


def test_a_receipt_alone_is_not_success(rig: AnchoringRig, proxy: FaultProxy, anvil: Anvil) -> None:
    """A node that shows a receipt for a transaction which is not in the chain is not believed."""
    pool(anvil, mine=False)
    rig.paper.grow(1)
    rig.step()
    forged = "0x" + "ab" * 32

    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        receipt: dict[str, Any] = {
            "transactionHash": forged, "blockNumber": "0x1", "blockHash": forged, "status": "0x1",
            "gasUsed": "0x1", "contractAddress": None, "logs": [],
        }  # fmt: skip
        return answer | {"result": receipt}

    proxy.change("eth_getTransactionReceipt", forge)
    rig.step()
    assert rig.stages()[6] == "published"


def test_events_that_were_not_asked_for_are_not_believed(rig: AnchoringRig, proxy: FaultProxy) -> None:
    """A node that answers with other events is a node that does not answer."""
    rig.paper.grow(1)
    rig.step()

    def mix_up(answer: dict[str, Any]) -> dict[str, Any]:
        for event in answer["result"]:
            event["topics"][1] = "0x" + "00" * 32
        return answer

    proxy.change("eth_getLogs", mix_up)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    proxy.change("eth_getLogs", None)
    rig.settle()
    assert rig.stages()[6] == "anchored"


def test_a_foreign_pending_transaction_at_our_nonce_is_outbid(rig: AnchoringRig, anvil: Anvil) -> None:
    """What a lost plan left in the pool under our nonce does not block the next anchor."""
    pool(anvil, mine=False)
    account = PublisherAccount(FUNDED_KEYS[0])
    nonce = int(anvil.rpc.call("eth_getTransactionCount", "0x" + account.address.hex(), "latest"), 16)
    foreign = account.sign(
        Call(account.address, b""), chain_id=31337, nonce=nonce, gas=21_000, fees=Fees(9 * 10**9, 3 * 10**9)
    )
    anvil.rpc.call(SEND, "0x" + foreign.raw.hex())
    rig.paper.grow(1)
    for _ in range(3):
        rig.step()
    anvil.mine()
    rig.settle()
    assert rig.stages()[6] == "anchored"
