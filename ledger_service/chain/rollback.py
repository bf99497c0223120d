"""Is this database older than what the world has seen of it? Asked before the first signature.

A restored backup would sign other entries at places that were already signed: a fork. The chain remembers
every head it accepted, and the guard file every head that was published here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.chain.client import ChainIdentity, check_identity
from ledger_service.chain.contract import NO_HEAD, CheckpointLogContract
from ledger_service.chain.guard import KnownContract
from ledger_service.chain.look import Look
from ledger_service.chain.watch import check_not_behind
from ledger_service.errors import RollbackDetectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.client import Node
    from ledger_service.chain.guard import HighWaterGuard
    from ledger_service.chain.pins import ChainPins
    from ledger_service.chain.source import ProofSource


@dataclass(frozen=True, slots=True)
class Compared:
    """How many heads on the chain the database was compared with, all of which it contains."""

    contracts: int
    heads: int


def compare_with_chain(
    source: ProofSource,
    node: Node,
    *,
    pins: ChainPins,
    guard: HighWaterGuard,
    artifacts: Mapping[str, Artifact],
    openers: Sequence[bytes],
) -> Compared:
    """Compare the database with the guard file and with every log that `openers` opened on the pinned chain.

    The contracts are those that the database knows and those that the guard remembers, so that a backup
    from before the first anchor is found out as well. Raises RollbackDetectedError when anything is ahead
    of the database or contradicts it, ChainUnavailableError when the node does not answer (the guard was
    compared by then), and ChainReplacedError when it serves another chain.
    """
    marks = guard.check(source)
    contracts = tuple(dict.fromkeys((*known_contracts(pins), *marks.contracts)))
    if not contracts:
        return Compared(0, 0)
    served = node.identity()
    # A chain that was left for another one is not asked any more: its heads were carried over.
    here = [each for each in contracts if ChainIdentity(each.chain_id, each.genesis_hash) == served]
    if not here:
        check_identity(node, ChainIdentity(contracts[-1].chain_id, contracts[-1].genesis_hash))
    look = Look(node)
    heads = 0
    for each in here:
        contract = CheckpointLogContract(
            node, artifacts[each.kind], address=each.address, first_block=each.first_block
        )
        heads += _compare_contract(look, contract, source=source, openers=openers)
    look.confirm()
    return Compared(len(here), heads)


def known_contracts(pins: ChainPins) -> tuple[KnownContract, ...]:
    """Return the contracts on the pinned chain, as the guard file keeps them."""
    chain = pins.pinned()
    if chain is None:
        return ()
    return tuple(
        KnownContract(
            chain_id=chain.identity.chain_id,
            genesis_hash=chain.identity.genesis_hash,
            kind=each.kind,
            address=each.address,
            first_block=each.deploy_block_number or 0,
        )
        for each in pins.contracts(chain)
        if each.code_hash is not None
    )


def _compare_contract(
    look: Look, contract: CheckpointLogContract, *, source: ProofSource, openers: Sequence[bytes]
) -> int:
    heads = {head.origin: head for head in source.heads()}
    opened = [log for opener in openers for log in contract.logs_opened(opener, at=look.head)]
    for log in opened:
        head = heads.get(log.origin)
        state = contract.log_state(log.log_id, at=look.head)
        size = 0 if state is None else state.size
        if head is None:
            raise RollbackDetectedError(origin=log.origin, database_size=0, chain_size=size)
        if size > 0:
            found = contract.find_head(log.log_id, size, at=look.head)
            check_not_behind(source, head, accepted=NO_HEAD if found is None else found.head)
    return len(opened)
