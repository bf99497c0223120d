"""Head keys that were replaced, brought to contracts on a real node: what follows, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.contract import SignedHead
from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.chain.head_signer import compact_line, key_address
from ledger_service.chain.rotations import count_lagging_keys
from ledger_service.errors import ContractRevertedError, KeyFileError
from ledger_service.log.tables import logs
from ledger_service.proofs.note import parse_note
from tests.support.anchoring import AnchoringRig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.chain.contract import LogState
    from ledger_service.chain.head_signer import Eip712Signer
    from tests.support.anvil import Anvil


@pytest.fixture
def rig(anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer on a fresh Anvil, final after two blocks."""
    made = AnchoringRig.create(anvil.url, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["anvil", "embedded"])
def any_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer on either chain."""
    if request.param == "anvil":
        yield request.getfixturevalue("rig")
        return
    with EmbeddedNode(tmp_path / "chain.sqlite") as node:
        secret = load_funded_key(tmp_path / "chain.key").to_bytes()
        made = AnchoringRig.create(node.url, tmp_path, secret=secret, self_anchored=True, confirmations=1)
        yield made
        made.close()


def rotate(rig: AnchoringRig) -> None:
    """Replace the key of the first log, in its row as well."""
    rig.paper.rotate()
    with rig.database.write("log.rotate") as conn:
        conn.execute(logs.update().values(era=len(rig.paper.signers) - 1))


def lagging(rig: AnchoringRig) -> int:
    """How many logs have keys that their contract does not obey yet."""
    with rig.database.read() as conn:
        return count_lagging_keys(conn)


def state_of(rig: AnchoringRig) -> LogState:
    """What the contract keeps of the first log."""
    state = rig.state()
    assert state is not None
    return state


def address(signer: Eip712Signer) -> bytes:
    """The head key's address."""
    return key_address(signer.vkey)


def test_the_contract_gets_the_last_head_of_the_old_key_and_then_the_new_key(any_rig: AnchoringRig) -> None:
    """However far the log has grown since, the old key is closed at its last size and the new one goes on."""
    rig = any_rig
    rig.settle(most=400)
    rig.paper.grow(3)
    rotate(rig)
    rig.paper.grow(4)
    assert lagging(rig) == 1
    rig.settle(most=400)
    assert [head.size for head in rig.heads_on_chain()] == [5, 8, 12]
    state = state_of(rig)
    assert (state.head_key, state.head_key_from) == (address(rig.paper.signer), 8)
    assert (lagging(rig), rig.alarms()) == (0, set())
    assert [action.kind for action in rig.actions("rotate")] == ["rotate"]


def test_a_log_that_does_not_grow_rotates_all_the_same(rig: AnchoringRig) -> None:
    """The contract learns of the key without another entry, and of two keys in their order."""
    rig.settle()
    rotate(rig)
    rotate(rig)
    rig.settle()
    state = state_of(rig)
    assert (state.head_key, state.head_key_from, state.size) == (address(rig.paper.signer), 5, 5)
    rig.paper.grow(2)
    rig.settle()
    assert [head.size for head in rig.heads_on_chain()] == [5, 7]
    assert (len(rig.actions("rotate")), lagging(rig)) == (2, 0)


def test_a_log_that_was_rotated_before_its_first_anchor_opens_with_the_new_key(rig: AnchoringRig) -> None:
    """A contract that never saw the old key needs no rotation."""
    rotate(rig)
    rig.settle()
    assert state_of(rig).head_key == address(rig.paper.signer)
    assert (len(rig.actions("rotate")), lagging(rig)) == (0, 0)


def test_a_rotation_that_a_reorganization_took_back_is_made_again(rig: AnchoringRig, anvil: Anvil) -> None:
    """The stored transaction goes out again, and heads of the new key after it."""
    rig.settle()
    anvil.mine(2)
    rig.settle()
    rotate(rig)
    for _ in range(200):
        rig.step()
        if state_of(rig).head_key == address(rig.paper.signer):
            break
    assert state_of(rig).head_key == address(rig.paper.signer)
    anvil.reorganize(1)
    assert state_of(rig).head_key != address(rig.paper.signer)
    rig.paper.grow(1)
    rig.settle()
    assert state_of(rig).head_key == address(rig.paper.signer)
    assert [head.size for head in rig.heads_on_chain()] == [5, 6]
    assert len(rig.actions("rotate")) == 1


def test_a_restart_between_plan_and_broadcast_sends_what_was_stored(
    rig: AnchoringRig, anvil: Anvil, tmp_path: Path
) -> None:
    """A rotation is planned once, whoever sends it."""
    rig.settle()
    rotate(rig)
    anvil.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON-RPC's order
    rig.step()
    rig.close()
    again = AnchoringRig(anvil.url, f"sqlite:///{tmp_path / 'ledger.db'}", papers=rig.logs)
    again.step()
    anvil.mine()
    anvil.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON-RPC's order
    again.settle()
    assert (state_of(again).head_key_from, len(again.actions("rotate"))) == (5, 1)
    again.close()


def test_the_contract_refuses_the_old_key_above_its_last_size(rig: AnchoringRig) -> None:
    """Even the publisher cannot bring a head that the replaced key signed after it was closed."""
    rig.settle()
    old = rig.paper.signer
    rotate(rig)
    rig.settle()
    rig.paper.grow(2)
    rig.paper.signers[-1] = (old, 5)
    signed = rig.paper.signed()
    line = compact_line(parse_note(signed.note), old.vkey)
    contract, newest = rig.contract(), rig.node.newest()
    log_id = contract.find_log(rig.account.address, rig.paper.origin, at=newest)
    assert log_id is not None
    call = contract.publish(
        log_id,
        accepted=rig.heads_on_chain()[-1],
        offered=SignedHead(signed.head.size, signed.head.root, line.r, line.vs),
        path=tuple(rig.logs.prove_consistency(rig.paper.number, 5, 7)),
    )
    with pytest.raises(ContractRevertedError) as caught:
        rig.anchorer.ask("publish", call)
    assert caught.value.details["name"] == "WrongHeadKey"


def test_a_key_that_is_missing_is_an_alarm(rig: AnchoringRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the old key nothing can be rotated; once it is back, the rotation is made."""
    rig.settle()
    rotate(rig)

    def refuse(_origin: str, _era: int) -> Eip712Signer:
        raise KeyFileError

    with monkeypatch.context() as patch:
        patch.setattr(rig.anchorer, "_signers", refuse)
        rig.step()
        assert rig.alarms() == {AlarmCode.ROTATION_REFUSED}
    rig.settle()
    assert (lagging(rig), rig.alarms()) == (0, set())


def test_a_contract_that_obeys_a_stranger_is_an_alarm(rig: AnchoringRig) -> None:
    """A head key that was never the log's is not guessed at: nothing is published, an operator must look."""
    rig.settle()
    rig.paper.signers[0] = (rig.paper.rotate().signer, 0)
    rig.paper.signers.pop()
    rig.paper.grow(1)
    rig.step()
    assert rig.alarms() == {AlarmCode.PUBLISH_REFUSED}
    assert [head.size for head in rig.heads_on_chain()] == [5]
