"""Anchoring on a real EVM node: what goes right, what a reorganization takes back, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.alarms import AlarmCode
from ledger_service.errors import ChainReplacedError, ContractReplacedError
from tests.support.anchoring import AnchoringRig
from tests.support.anvil import Anvil
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer on a fresh Anvil, on each engine, final after two blocks."""
    database = None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    made = AnchoringRig.create(anvil.url, tmp_path, database=database)
    yield made
    made.close()


def test_a_checkpoint_is_anchored_and_then_final(rig: AnchoringRig, anvil: Anvil) -> None:
    """Contract, log and head appear by themselves; with its confirmations the anchor is final."""
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    anvil.mine(1)
    rig.settle()
    assert rig.stages() == {5: "final"}
    state = rig.state()
    assert state is not None
    assert (state.size, rig.alarms()) == (5, set())


def test_the_next_anchor_names_the_one_before(rig: AnchoringRig) -> None:
    """Evidence has both ends of the interval: each sighting keeps size, root and time of the head before."""
    rig.settle()
    rig.paper.grow(300)
    rig.settle()
    first, second = rig.sightings()
    assert (second.size, second.previous_size, second.previous_time) == (305, 5, first.time)
    assert second.previous_root == rig.paper.root(5)
    assert all(each.header_rlp for each in (first, second))


def test_a_backlog_becomes_one_anchor(rig: AnchoringRig) -> None:
    """However many checkpoints were missed, the newest covers them all."""
    rig.settle()
    for _ in range(7):
        rig.paper.grow(3)
    rig.settle()
    assert [head.size for head in rig.heads_on_chain()] == [5, 26]


def test_many_logs_share_a_contract_and_a_block(anvil: Anvil, tmp_path: Path) -> None:
    """Logs are opened in one contract, and their anchors do not wait for each other."""
    logs = PaperLogs(*(PaperLog(f"ledger.example/logs/shop-{n}/purchases").grow(n + 1) for n in range(5)))
    rig = AnchoringRig.create(anvil.url, tmp_path, papers=logs)
    anvil.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON-RPC's order
    for _ in range(4):
        rig.step()
        anvil.mine()
    rig.settle()
    assert len(rig.actions("deploy")) == 1
    assert len({sighting.block_number for sighting in rig.sightings()}) == 1
    assert sorted(sighting.size for sighting in rig.sightings()) == [1, 2, 3, 4, 5]
    rig.close()


def test_a_reorganization_takes_an_anchor_back_and_it_is_anchored_again(
    rig: AnchoringRig, anvil: Anvil
) -> None:
    """The stage returns to published, the lost block is remembered, and the same head is anchored again."""
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    (before,) = rig.sightings()
    anvil.reorganize(1)
    seen = rig.step()
    assert seen.lost == 1
    assert rig.stages() == {5: "published"}
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    (after,) = rig.sightings()
    assert after.block_hash != before.block_hash
    assert len(rig.sightings(standing=False)) == 2
    assert len(rig.actions("publish")) == 1


def test_a_reverted_chain_gets_everything_again(anvil: Anvil, tmp_path: Path) -> None:
    """When the chain goes back to before the contract, the same transactions bring all of it again."""
    rig = AnchoringRig.create(anvil.url, tmp_path, confirmations=50)
    snapshot = anvil.rpc.call("evm_snapshot")
    rig.settle()
    anvil.rpc.call("evm_revert", snapshot)
    rig.settle()
    assert rig.stages() == {5: "anchored"}
    assert [len(rig.actions(kind)) for kind in ("deploy", "open", "publish")] == [1, 1, 1]
    rig.close()


def test_a_final_anchor_that_vanishes_raises_an_alarm_and_is_anchored_again(
    rig: AnchoringRig, anvil: Anvil
) -> None:
    """A reorganization deeper than the confirmations never withdraws the stage silently: it is disputed."""
    rig.settle()
    anvil.mine(4)
    rig.settle()
    assert rig.stages() == {5: "final"}
    anvil.reorganize(5)
    rig.step()
    assert rig.stages() == {5: "final"}
    assert AlarmCode.ANCHOR_DISPUTED in rig.alarms()
    rig.settle()
    anvil.mine(2)
    rig.settle()
    assert rig.alarms() == set()
    assert len(rig.sightings()) == 1


def test_another_genesis_at_the_same_url_is_refused(rig: AnchoringRig, anvil: Anvil) -> None:
    """A node that was replaced by another chain with the same chain id stops anchoring, with an alarm."""
    rig.settle()
    anvil.stop()
    with Anvil.start(port=anvil.port, options=["--timestamp", "1700000000"]):
        rig.paper.grow(1)
        with pytest.raises(ChainReplacedError):
            rig.anchorer.step()
        assert rig.alarms() == {AlarmCode.CHAIN_REPLACED}
        assert rig.stages() == {5: "anchored"}
        assert int(rig.node.rpc.ask("eth_blockNumber"), 16) == 0


def test_another_chain_id_at_the_same_url_is_refused(rig: AnchoringRig, anvil: Anvil) -> None:
    """The chain id is pinned as well as the genesis."""
    rig.settle()
    anvil.stop()
    with Anvil.start(port=anvil.port, chain_id=31338), pytest.raises(ChainReplacedError) as refused:
        rig.anchorer.step()
    assert refused.value.details["found_chain_id"] == 31338


def test_other_code_at_the_contract_is_refused(rig: AnchoringRig, anvil: Anvil) -> None:
    """A lookalike at the contract's address is not spoken to."""
    rig.settle()
    anvil.rpc.call("anvil_setCode", "0x" + rig.contract().address.hex(), "0x60016000f3")
    rig.paper.grow(1)
    with pytest.raises(ContractReplacedError):
        rig.anchorer.step()
    assert AlarmCode.CHAIN_REPLACED in rig.alarms()


def test_a_restart_goes_on_where_the_database_says(rig: AnchoringRig, anvil: Anvil) -> None:
    """Nothing is kept in memory: another process on the same database neither deploys nor opens again."""
    rig.settle()
    rig.close()
    again = AnchoringRig(anvil.url, rig.database_url, papers=rig.logs)
    rig.paper.grow(2)
    again.settle()
    assert [len(again.actions(kind)) for kind in ("deploy", "open", "publish")] == [1, 1, 2]
    again.close()


def test_a_second_use_of_the_key_is_found_out(rig: AnchoringRig, anvil: Anvil, tmp_path: Path) -> None:
    """A nonce taken by somebody else leads to an alarm and a new plan, not to a stuck anchor."""
    rig.settle()
    rig.paper.grow(1)
    (tmp_path / "other").mkdir()
    stranger = AnchoringRig.create(
        anvil.url, tmp_path / "other", papers=PaperLogs(PaperLog("other.example/logs/x").grow(1))
    )
    anvil.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON-RPC's order
    rig.step()
    ours = rig.transactions(rig.actions("publish")[-1].id)[-1].tx_hash
    anvil.rpc.call("anvil_dropTransaction", "0x" + ours.hex())
    stranger.step()
    anvil.mine(3)
    rig.step()
    assert AlarmCode.NONCE_TAKEN in rig.alarms()
    anvil.mine()
    rig.settle()
    assert rig.stages()[6] == "anchored"
    stranger.close()
