"""Checks evidence against a chain through any node: the verifier's side. It needs no database of ours.

What it compares with comes from the verifier's trust file: chain id, genesis, contract, code and log id. A
node that serves another chain, lags behind or does not answer leads to CouldNotCheckError; a chain that
contradicts the evidence to AnchorError. Nothing in between passes.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from ledger_service.chain.abi import load_artifacts
from ledger_service.chain.client import ChainIdentity, Node, check_code, check_identity
from ledger_service.chain.contract import CheckpointLogContract, Head
from ledger_service.chain.head_signer import check_eip712_line
from ledger_service.chain.look import Look
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.states import RecordState
from ledger_service.errors import AnchorError, ChainError, ContractReplacedError, CouldNotCheckError
from ledger_service.proofs.chain_view import GRADE_NODE, AnchorFinding, ChainStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.client import Event
    from ledger_service.chain.contract import LogState
    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.note import Note, VerifierKey
    from ledger_service.proofs.trust import TrustedAnchor


def observe_node(url: str, *, timeout_s: float = 10.0) -> NodeView:
    """Return a view of the chains behind a node's JSON-RPC address. Nothing is sent yet."""
    return NodeView(Node(JsonRpc(url, timeout_s=timeout_s)), artifacts=load_artifacts())


class NodeView:
    """The kernel's `ChainView`, through one node."""

    __slots__ = ("_by_code", "_interface", "_node")

    def __init__(self, node: Node, *, artifacts: Sequence[Artifact]) -> None:
        """Ask `node`; `artifacts` say how to speak to each contract of ours, known by the hash of its code.

        Code that is none of them may be an earlier version's. What is read here has been the same in every
        version, so the first artifact serves; the code is pinned by the trust file either way.
        """
        self._node = node
        self._by_code = {artifact.code_hash: artifact for artifact in artifacts}
        self._interface = artifacts[0]

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
        """Return how far the chain bears out every member of `anchor`; raises AnchorError when it does not.

        The head must stand in the contract's state now, in the block that the anchor names, put there by the
        transaction that it names. Raises CouldNotCheckError when the chain cannot be read.
        """
        with _as_could_not_check():
            look, contract = self._look(trusted)
            _check_block(look, anchor)
            _check_code(self._node, look, trusted)
            previous_size = 0 if anchor.previous is None else anchor.previous.size
            head = Head(anchor.size, anchor.root, int(anchor.time.timestamp()), previous_size)
            contract.check_head(trusted.log_id, head, at=look.head)
            self._check_transaction(contract, anchor, log_id=trusted.log_id)
            lower = _check_previous(look, contract, anchor, log_id=trusted.log_id)
            look.confirm()
        depth = look.depth(anchor.block.number)
        return AnchorFinding(
            grade=GRADE_NODE,
            lower=lower,
            upper=anchor.time,
            detail=f"block {anchor.block.number} of chain {trusted.chain_id} holds it, {depth} blocks deep",
        )

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:
        """Return the contract's state of the record; one that was never changed is active since its head.

        The state is read from the contract's events, since the contract itself asks for an inclusion proof
        that a status question does not carry; the verifier has checked inclusion by then. Raises
        CouldNotCheckError when the contract has no head that covers the record.
        """
        with _as_could_not_check():
            look, contract = self._look(trusted)
            check_code(self._node, trusted.contract, code_hash=trusted.code_hash, at=look.head)
            state = contract.log_state(trusted.log_id, at=look.head)
            if state is None or state.size <= pointer.index:
                raise CouldNotCheckError("The contract has not accepted a head that holds this record.")
            changes = contract.status_changes(trusted.log_id, pointer.index, at=look.head)
            look.confirm()
        detail = f"read at block {look.head.number} of chain {trusted.chain_id}"
        if not changes:
            return _untouched(state, detail=detail)
        newest = changes[-1]
        if newest.leaf != pointer.leaf:
            raise AnchorError("The contract holds a status of another record at this place in the log.")
        since = datetime.fromtimestamp(newest.since, UTC)
        return ChainStatus(newest.state.name.lower(), since, f"{detail}, reason {newest.reason}")

    def check_eip712_line(self, note: Note, key: VerifierKey) -> None:
        """Return when `key` made the checkpoint's EIP-712 line; raises SignatureError. Asks no node."""
        check_eip712_line(note, key)

    def _look(self, trusted: TrustedAnchor) -> tuple[Look, CheckpointLogContract]:
        check_identity(self._node, ChainIdentity(trusted.chain_id, trusted.genesis_hash))
        look = Look(self._node)
        artifact = self._by_code.get(trusted.code_hash, self._interface)
        return look, CheckpointLogContract(self._node, artifact, address=trusted.contract)

    def _check_transaction(self, contract: CheckpointLogContract, anchor: Anchor, *, log_id: bytes) -> Event:
        for accepted in contract.heads_in_block(log_id, anchor.size, number=anchor.block.number):
            event = accepted.event
            if event.tx_hash == anchor.tx_hash and event.block_hash == anchor.block.hash:
                return event
        raise AnchorError("The block does not hold the anchor's transaction.")


def _check_block(look: Look, anchor: Anchor) -> None:
    if anchor.block.number > look.head.number:
        raise CouldNotCheckError("The node has not come as far as the anchor's block.")
    if not look.holds(anchor.block.number, anchor.block.hash):
        raise AnchorError("The chain has another block at the anchor's height.")
    if look.block(anchor.block.number, anchor.block.hash).time != int(anchor.block.time.timestamp()):
        raise AnchorError("The anchor's block has another time.")
    if anchor.header_rlp is not None and keccak(anchor.header_rlp) != anchor.block.hash:
        raise AnchorError("The anchor's header is not its block's.")


def _check_code(node: Node, look: Look, trusted: TrustedAnchor) -> None:
    try:
        check_code(node, trusted.contract, code_hash=trusted.code_hash, at=look.head)
    except ContractReplacedError as error:
        # The node has come past the anchor's block, so the contract should be there.
        raise AnchorError("The chain holds other code at the contract's address.") from error


def _check_previous(
    look: Look, contract: CheckpointLogContract, anchor: Anchor, *, log_id: bytes
) -> datetime | None:
    if anchor.previous is None:
        return None
    found = contract.find_head(log_id, anchor.previous.size, at=look.head)
    stated = (anchor.previous.root, int(anchor.previous.time.timestamp()))
    if found is None or (found.head.root, found.head.time) != stated:
        raise AnchorError("The chain holds another head before the anchor.")
    return anchor.previous.time


def _untouched(state: LogState, *, detail: str) -> ChainStatus:
    since = datetime.fromtimestamp(state.time, UTC)
    return ChainStatus(RecordState.ACTIVE.name.lower(), since, f"{detail}: nothing was said about the record")


@contextmanager
def _as_could_not_check() -> Iterator[None]:
    """Turn trouble with the node into CouldNotCheckError. AnchorError and CouldNotCheckError pass."""
    try:
        yield
    except ChainError as error:
        raise CouldNotCheckError(f"The chain could not be read: {error.text}") from error
