"""Logs of every kind, each anchored in the contract of its kind and checked there by a verifier's own node."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.contract import ProvenEntry
from ledger_service.chain.observer import observe_node
from ledger_service.chain.states import RecordState
from ledger_service.errors import AnchorError, ContractRevertedError
from ledger_service.proofs.chain_view import GRADE_NODE
from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.merkle import prove_inclusion
from ledger_service.proofs.trust import TrustedAnchor
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, TreeSize
from ledger_service.verification.anchors import anchors_at
from ledger_service.wiring.anchoring import CONTRACTS
from tests.support.anchoring import ARTIFACTS, AnchoringRig
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.proofs.evidence import Anchor
    from tests.support.anvil import Anvil

# By collection, a change that its kind of log has, and one that it has not.
CHANGES = {
    "purchases": (RecordState.REFUNDED, RecordState.REVOKED),
    "completions": (RecordState.SUSPENDED, RecordState.REFUNDED),
    "datasets": (RecordState.WITHDRAWN, RecordState.SUSPENDED),
}
SIZE = TreeSize(9)


@pytest.fixture
def rig(anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """One log of each kind, anchored."""
    papers = [
        PaperLog(f"ledger.example/logs/city/{collection}", contract_kind=kind).grow(SIZE)
        for collection, kind in CONTRACTS.items()
    ]
    made = AnchoringRig.create(anvil.url, tmp_path, papers=PaperLogs(*papers))
    made.settle()
    yield made
    made.close()


def _paper(rig: AnchoringRig, collection: str) -> PaperLog:
    return next(paper for paper in rig.logs.papers if paper.origin.endswith(collection))


def _anchor(rig: AnchoringRig, collection: str) -> Anchor:
    with rig.database.read() as conn:
        (found,) = anchors_at(conn, _paper(rig, collection).number, SIZE)
    return found


def _trusted(anchor: Anchor) -> TrustedAnchor:
    pins = (anchor.chain_id, anchor.genesis_hash, anchor.contract, anchor.code_hash, anchor.log_id)
    return TrustedAnchor(*pins, self_anchored=False)


def _entry(paper: PaperLog, index: int) -> ProvenEntry:
    return ProvenEntry(index, paper.leaves[index], prove_inclusion(paper, LeafIndex(index), SIZE))


def test_each_kind_has_one_contract_deployed_at_once(rig: AnchoringRig) -> None:
    """Contracts of several kinds are asked for together, each once, and each log lies in that of its kind."""
    deployed = rig.actions("deploy")
    assert len(deployed) == len({action.calldata for action in deployed}) == len(CONTRACTS)
    anchors = {collection: _anchor(rig, collection) for collection in CONTRACTS}
    assert len({anchor.contract for anchor in anchors.values()}) == len(CONTRACTS)
    assert {name: anchor.code_hash for name, anchor in anchors.items()} == {
        name: ARTIFACTS[kind].code_hash for name, kind in CONTRACTS.items()
    }
    assert rig.alarms() == set()


@pytest.mark.parametrize("collection", CONTRACTS)
def test_a_node_bears_out_the_anchor_of_each_kind(rig: AnchoringRig, anvil: Anvil, collection: str) -> None:
    """Anchor and status of each kind are proven by a node; the code of another kind at its place is not."""
    anchor, paper, view = _anchor(rig, collection), _paper(rig, collection), observe_node(anvil.url)
    trusted = _trusted(anchor)
    assert view.observe_anchor(anchor, trusted=trusted).grade == GRADE_NODE
    change, refused = CHANGES[collection]
    contract = rig.contract(CONTRACTS[collection])
    found = contract.find_head(anchor.log_id, SIZE, at=rig.node.newest())
    assert found is not None

    def say(state: RecordState) -> None:
        call = contract.change_status(
            anchor.log_id, head=found.head, record=_entry(paper, 2), explanation=_entry(paper, 5),
            state=state, reason=2,
        )  # fmt: skip
        rig.anchorer.ask("change", call, log=paper.number)

    with pytest.raises(ContractRevertedError, match="ChangeNotAllowed"):
        say(refused)
    say(change)
    rig.settle()
    pointer = Pointer(Origin(paper.origin), LeafIndex(2), LeafHash(paper.leaves[2]))
    assert view.observe_status(pointer, trusted=trusted).state == change.name.lower()
    other = next(each for each in ARTIFACTS.values() if each.code_hash != anchor.code_hash)
    with pytest.raises(AnchorError):
        view.observe_anchor(anchor, trusted=replace(trusted, code_hash=other.code_hash))
