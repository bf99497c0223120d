"""Handing everything over to the next publisher: roles, logs and, on a chain of our own, the money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger_service.chain.account import Call
from ledger_service.chain.actions import FUND, ROLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger_service.chain.client import Block, Node
    from ledger_service.chain.contract import CheckpointLogContract
    from ledger_service.chain.planning import HeadSigners, Planner
    from ledger_service.chain.source import LogHead, ProofSource
    from ledger_service.chain.watch import Findings

# The old account keeps a thousandth for what it still has to send, such as a replacement.
_KEPT: Final = 1_000


def plan_move(
    planner: Planner,
    contracts: Sequence[tuple[CheckpointLogContract, Findings]],
    node: Node,
    *,
    present: bytes,
    following: bytes,
    with_money: bool,
    at: Block,
    chain_id: int,
    heads: Mapping[int, LogHead],
    source: ProofSource,
    signers: HeadSigners,
) -> None:
    """Ask for what of the move the state after `at` does not show; nothing is asked when all is done.

    Contracts and logs go first. The present account gives its role back only when the next one has everything.
    """
    if with_money and node.balance_wei(following, at=at) == 0:
        balance = node.balance_wei(present, at=at)
        planner.ask(FUND, Call(following, b"", balance - balance // _KEPT), subject="publisher")
    for contract, findings in contracts:
        if not contract.has_role(following, at=at):
            planner.ask(ROLE, contract.grant_role(following), subject="publisher")
        # Of a log that is handed over the present account may ask nothing more: a key that was replaced since is
        # brought by the next one.
        over = {log for log, state in findings.states.items() if state.publisher == following}
        planner.rotate(
            contract, chain_id=chain_id, findings=findings, heads=heads, busy=over, source=source,
            signers=signers, publisher=following,
        )  # fmt: skip
    if planner.requests or planner.refused:
        return
    for contract, _ in contracts:
        if contract.has_role(present, at=at):
            planner.ask(ROLE, contract.renounce_role(present), subject="publisher")
