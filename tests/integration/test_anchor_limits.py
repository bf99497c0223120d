"""What bounds anchoring: fees, frequency, transactions in flight, old chains, and the loop that runs it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.account import Call, Fees, PublisherAccount
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.anchorer import StepSummary
from ledger_service.chain.client import Node
from ledger_service.chain.mempool import Mempool, Sending
from ledger_service.chain.rpc import JsonRpc
from ledger_service.errors import ChainUnavailableError, LedgerError, StorageFatalError
from ledger_service.storage import failpoints
from tests.support.anchoring import AnchoringRig
from tests.support.anvil import FUNDED_KEYS, Anvil
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from pathlib import Path


def test_fees_above_the_limit_are_not_paid(anvil: Anvil, tmp_path: Path) -> None:
    """When the chain asks more than allowed nothing is planned, an alarm says so, and later it goes on."""
    rig = AnchoringRig.create(anvil.url, tmp_path, max_fee_wei=3 * 10**9)
    anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    anvil.mine()
    assert rig.step().planned == 0
    assert rig.alarms() == {AlarmCode.FEE_LIMIT}
    anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    anvil.mine()
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    assert rig.alarms() == set()
    rig.close()


def test_a_log_rests_between_two_anchors(anvil: Anvil, tmp_path: Path) -> None:
    """A log that grows all the time is anchored no more often than asked; the first anchor does not wait."""
    rig = AnchoringRig.create(anvil.url, tmp_path, anchor_every_s=3600.0)
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    rig.paper.grow(1)
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    rig.close()


def test_only_so_many_transactions_are_in_flight(anvil: Anvil, tmp_path: Path) -> None:
    """A crowd of logs is opened and anchored a few at a time, and all get their turn."""
    logs = PaperLogs(*(PaperLog(f"ledger.example/logs/shop-{n}/purchases").grow(1) for n in range(9)))
    rig = AnchoringRig.create(anvil.url, tmp_path, papers=logs, max_in_flight=4, confirmations=1)
    assert max(rig.step().waiting for _ in range(10)) == 4
    rig.settle()
    assert len(rig.sightings()) == 9
    rig.close()


def test_a_chain_without_a_base_fee_gets_transactions_of_the_old_type() -> None:
    """Before London there is a gas price only: the quote, the bytes and the node agree on that."""
    with Anvil.start(options=["--hardfork", "berlin"]) as old:
        rpc = JsonRpc(old.url)
        node, mempool = Node(rpc), Mempool(rpc)
        fees = mempool.quote(at=node.newest())
        assert fees.priority_fee_wei is None
        account = PublisherAccount(FUNDED_KEYS[0])
        signed = account.sign(Call(account.address, b""), chain_id=31337, nonce=0, gas=21_000, fees=fees)
        assert mempool.send(signed.raw) == (Sending.TAKEN, "")
        rpc.ask("evm_mine")  # Anvil mines on its own as well, but a moment after it has answered.
        receipt = mempool.receipt(signed.hash)
        assert receipt is not None
        assert receipt.succeeded


def test_a_chain_that_cannot_run_the_contract_is_an_alarm(tmp_path: Path) -> None:
    """On a chain older than the compiler's target nothing is deployed, and the reason is told."""
    with Anvil.start(options=["--hardfork", "berlin"]) as old:
        rig = AnchoringRig.create(old.url, tmp_path)
        assert rig.step().planned == 0
        assert rig.alarms() == {AlarmCode.PUBLISH_REFUSED}
        rig.close()


def test_a_transaction_for_another_chain_is_told_apart(anvil: Anvil) -> None:
    """A node that refuses our chain id says so, and it is no reason to pay more."""
    account = PublisherAccount(FUNDED_KEYS[0])
    fees = Fees(10**10, 10**9)
    foreign = account.sign(Call(account.address, b""), chain_id=5, nonce=0, gas=21_000, fees=fees)
    kind, words = Mempool(JsonRpc(anvil.url)).send(foreign.raw)
    assert kind is Sending.WRONG_CHAIN
    assert words


def test_the_loop_goes_on_after_trouble_and_stops_when_told(anvil: Anvil, tmp_path: Path) -> None:
    """A node that is away is reported and asked again; the loop ends between two looks."""
    rig = AnchoringRig.create(anvil.url, tmp_path, confirmations=1)
    stop = threading.Event()
    reports: list[StepSummary | LedgerError] = []

    def report(told: StepSummary | LedgerError) -> None:
        reports.append(told)
        if isinstance(told, StepSummary) and told.finished + told.anchored:
            anvil.stop()
        if isinstance(told, ChainUnavailableError):
            stop.set()

    rig.anchorer.run(stop, poll_s=0.01, report=report)
    assert rig.stages() == {5: "final"}
    assert isinstance(reports[-1], ChainUnavailableError)
    rig.close()


def test_the_loop_ends_when_the_database_fails(anvil: Anvil, tmp_path: Path) -> None:
    """After a failed commit nothing may be written until a clean start, so the loop does not go on."""
    rig = AnchoringRig.create(anvil.url, tmp_path)
    failpoints.arm("chain.plan=fail-done")
    try:
        with pytest.raises(StorageFatalError):
            rig.anchorer.run(threading.Event(), poll_s=0.01, report=lambda _: None)
    finally:
        failpoints.disarm()
    rig.close()
