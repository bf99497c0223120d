"""What a verifier with a node of its own makes of an anchor and of a status, and who is not believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.account import contract_address
from ledger_service.chain.contract import (
    CheckpointLogContract,
    LogReference,
    ProvenEntry,
    SignedHead,
    deployment,
)
from ledger_service.chain.head_signer import compact_line, key_address
from ledger_service.chain.observer import observe_node
from ledger_service.chain.states import RecordState
from ledger_service.errors import AnchorError, ContractRevertedError, CouldNotCheckError
from ledger_service.proofs.chain_view import GRADE_NODE, ChainView
from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.merkle import prove_inclusion
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.trust import TrustedAnchor
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, RootHash, TreeSize
from ledger_service.verification.anchors import anchors_at
from tests.support.anchoring import PURCHASES, AnchoringRig
from tests.support.anvil import Anvil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger_service.proofs.evidence import Anchor

SECOND = timedelta(seconds=1)


@pytest.fixture
def rig(anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """Two final anchors, of 5 and 305 entries."""
    made = AnchoringRig.create(anvil.url, tmp_path)
    made.settle()
    anvil.mine(2)
    made.paper.grow(300)
    made.settle()
    anvil.mine(2)
    made.settle()
    yield made
    made.close()


@pytest.fixture
def anchor(rig: AnchoringRig) -> Anchor:
    """The second anchor as evidence states it."""
    with rig.database.read() as conn:
        (found,) = anchors_at(conn, rig.paper.number, TreeSize(305))
    return found


@pytest.fixture
def trusted(anchor: Anchor) -> TrustedAnchor:
    """The pins of the trust file."""
    return TrustedAnchor(
        anchor.chain_id,
        anchor.genesis_hash,
        anchor.contract,
        anchor.code_hash,
        anchor.log_id,
        self_anchored=False,
    )


@pytest.fixture
def view(anvil: Anvil) -> ChainView:
    """The verifier's own look, with no database of ours."""
    return observe_node(anvil.url, timeout_s=5)


def test_a_node_bears_out_the_whole_anchor(view: ChainView, anchor: Anchor, trusted: TrustedAnchor) -> None:
    """Head, block, transaction and the head before stand in the chain: proven, with the interval."""
    assert anchor.previous is not None
    finding = view.observe_anchor(anchor, trusted=trusted)
    assert finding.grade == GRADE_NODE
    assert (finding.lower, finding.upper) == (anchor.previous.time, anchor.block.time)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "size": lambda a: replace(a, size=TreeSize(304)),
    "root": lambda a: replace(a, root=RootHash(bytes(32))),
    "time": lambda a: replace(a, time=a.time - SECOND),
    "no previous": lambda a: replace(a, previous=None),
    "previous size": lambda a: replace(a, previous=replace(a.previous, size=TreeSize(4))),
    "previous root": lambda a: replace(a, previous=replace(a.previous, root=RootHash(bytes(32)))),
    "previous time": lambda a: replace(a, previous=replace(a.previous, time=a.previous.time + SECOND)),
    "block number": lambda a: replace(a, block=replace(a.block, number=a.block.number - 1)),
    "block hash": lambda a: replace(a, block=replace(a.block, hash=bytes(32))),
    "block time": lambda a: replace(a, block=replace(a.block, time=a.block.time + SECOND)),
    "transaction": lambda a: replace(a, tx_hash=bytes(32)),
    "header": lambda a: replace(a, header_rlp=a.header_rlp + b"\x00"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_member_of_an_anchor_is_compared(
    view: ChainView, anchor: Anchor, trusted: TrustedAnchor, change: str
) -> None:
    """Whatever the evidence states otherwise than the chain contradicts it."""
    with pytest.raises(AnchorError):
        view.observe_anchor(CHANGES[change](anchor), trusted=trusted)


def test_an_anchor_that_was_reorganized_away_is_contradicted(
    view: ChainView, anvil: Anvil, anchor: Anchor, trusted: TrustedAnchor
) -> None:
    """Evidence from before a reorganization does not pass after it."""
    anvil.reorganize(5)
    with pytest.raises(AnchorError):
        view.observe_anchor(anchor, trusted=trusted)


def test_other_code_at_the_contract_is_contradicted(
    view: ChainView, anvil: Anvil, anchor: Anchor, trusted: TrustedAnchor
) -> None:
    """A contract that was exchanged proves nothing, though it answers."""
    anvil.rpc.call("anvil_setCode", "0x" + anchor.contract.hex(), "0x60016000f3")
    with pytest.raises(AnchorError):
        view.observe_anchor(anchor, trusted=trusted)
    with pytest.raises(CouldNotCheckError):
        view.observe_status(_pointer(0), trusted=trusted)


@pytest.mark.parametrize("trouble", ["down", "another chain", "behind"])
def test_a_chain_that_cannot_be_read_is_not_a_pass(
    view: ChainView, anvil: Anvil, anchor: Anchor, trusted: TrustedAnchor, trouble: str
) -> None:
    """No node, a node of another chain, or one that lags: the check could not be made."""
    if trouble == "behind":
        ahead = replace(anchor, block=replace(anchor.block, number=anchor.block.number + 1000))
        with pytest.raises(CouldNotCheckError):
            view.observe_anchor(ahead, trusted=trusted)
        return
    anvil.stop()
    if trouble == "another chain":
        with Anvil.start(port=anvil.port, options=["--timestamp", "1700000000"]):
            _could_not_check(view, anchor, trusted)
        return
    _could_not_check(view, anchor, trusted)


def test_a_record_without_a_change_is_active(
    rig: AnchoringRig, view: ChainView, trusted: TrustedAnchor
) -> None:
    """The contract has the head that holds the record, and nothing was said about it."""
    status = view.observe_status(_pointer(7, rig), trusted=trusted)
    assert status.state == "active"


def test_a_record_above_the_accepted_head_could_not_be_checked(
    view: ChainView, trusted: TrustedAnchor
) -> None:
    """A contract that has not heard of a record says nothing about it."""
    with pytest.raises(CouldNotCheckError):
        view.observe_status(_pointer(305), trusted=trusted)


def test_a_refund_is_seen_and_final(rig: AnchoringRig, view: ChainView, trusted: TrustedAnchor) -> None:
    """The publisher's change with both proofs shows as refunded since its block, and cannot be made again."""
    contract, now = rig.contract(), rig.node.newest()
    found = contract.find_head(trusted.log_id, 305, at=now)
    assert found is not None
    record, explanation = _entry(rig, 7), _entry(rig, 200)
    call = contract.change_status(
        trusted.log_id, head=found.head, record=record, explanation=explanation,
        state=RecordState.REFUNDED, reason=3,
    )  # fmt: skip
    rig.anchorer.ask("change", call, log=rig.paper.number)
    rig.settle()
    status = view.observe_status(_pointer(7, rig), trusted=trusted)
    assert status.state == "refunded"
    told = contract.status_of(trusted.log_id, head=found.head, record=record, at=rig.node.newest())
    assert (told.state, told.reason, told.since) == (RecordState.REFUNDED, 3, int(status.since.timestamp()))
    with pytest.raises(AnchorError):
        view.observe_status(_pointer(7), trusted=trusted)
    with pytest.raises(ContractRevertedError) as refused:
        rig.anchorer.ask("change", call, log=rig.paper.number)
    assert refused.value.details["name"] == "ChangeNotAllowed"


def test_the_contract_proves_inclusion_itself(rig: AnchoringRig, trusted: TrustedAnchor) -> None:
    """An auditor with a node alone has the contract check a path; a wrong one is refused by name."""
    contract, now = rig.contract(), rig.node.newest()
    found = contract.find_head(trusted.log_id, 305, at=now)
    assert found is not None
    contract.verify_inclusion(trusted.log_id, head=found.head, entry=_entry(rig, 42), at=now)
    wrong = replace(_entry(rig, 42), index=43)
    with pytest.raises(ContractRevertedError) as refused:
        contract.verify_inclusion(trusted.log_id, head=found.head, entry=wrong, at=now)
    assert refused.value.details["name"]


def test_a_log_is_retired_by_its_head_key(rig: AnchoringRig, trusted: TrustedAnchor) -> None:
    """After the retirement nothing is published, and nothing is asked in vain."""
    compact = rig.paper.signer.sign_retirement(
        chain_id=trusted.chain_id, contract=trusted.contract, log_id=trusted.log_id, size=305, successor=None
    )
    call = rig.contract().retire(trusted.log_id, successor=None, r=compact.r, vs=compact.vs)
    rig.anchorer.ask("retire", call, log=rig.paper.number)
    rig.settle()
    rig.paper.grow(1)
    rig.settle()
    state = rig.state()
    assert state is not None
    assert (state.retired, state.size, rig.alarms()) == (True, 305, set())


def test_a_log_goes_on_in_a_new_contract(
    rig: AnchoringRig, view: ChainView, anchor: Anchor, trusted: TrustedAnchor
) -> None:
    """The last head is carried over; later heads go to the new contract, and the anchors of both are evidence."""
    deployed = rig.anchorer.ask("deploy", deployment(PURCHASES, opener=rig.account.address))
    rig.settle()
    address = contract_address(rig.account.address, deployed.nonce)
    new = CheckpointLogContract(rig.node, PURCHASES, address=address)
    compact = compact_line(parse_note(rig.paper.signed().note), rig.paper.signer.vkey)
    carried = new.open_successor(
        rig.paper.origin, publisher=rig.account.address, head_key=key_address(rig.paper.signer.vkey),
        previous=LogReference(trusted.chain_id, trusted.contract, trusted.log_id),
        carried=SignedHead(305, rig.paper.root(305), compact.r, compact.vs),
    )  # fmt: skip
    rig.anchorer.ask("continue", carried, log=rig.paper.number)
    rig.settle()
    chain = rig.pins.pinned()
    assert chain is not None
    rig.pins.adopt(chain, "PurchaseLedger", address=address, first_block=rig.node.newest().number - 2)
    rig.paper.grow(7)
    rig.settle()
    state = rig.state()
    assert state is not None
    assert (state.size, state.head_key_from, rig.alarms()) == (312, 305, set())
    with rig.database.read() as conn:
        both = anchors_at(conn, rig.paper.number, TreeSize(305))
    assert [each.contract for each in both] == [anchor.contract, address]
    moved = replace(trusted, contract=address, log_id=both[1].log_id)
    assert view.observe_anchor(both[1], trusted=moved).lower is None


def _could_not_check(view: ChainView, anchor: Anchor, trusted: TrustedAnchor) -> None:
    with pytest.raises(CouldNotCheckError):
        view.observe_anchor(anchor, trusted=trusted)
    with pytest.raises(CouldNotCheckError):
        view.observe_status(_pointer(0), trusted=trusted)


def _pointer(index: int, rig: AnchoringRig | None = None) -> Pointer:
    leaf = bytes(32) if rig is None else rig.paper.leaves[index]
    return Pointer(Origin("ledger.example/logs/shop/purchases"), LeafIndex(index), LeafHash(leaf))


def _entry(rig: AnchoringRig, index: int) -> ProvenEntry:
    path = prove_inclusion(rig.paper, LeafIndex(index), TreeSize(305))
    return ProvenEntry(index, rig.paper.leaves[index], path)
