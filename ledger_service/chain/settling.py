"""What became of the transactions that we sent: the canonical chain says it anew at each look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.chain.actions import DISPLACED, DONE, REVERTED, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger_service.chain.actions import Action
    from ledger_service.chain.client import Node
    from ledger_service.chain.look import Look
    from ledger_service.chain.mempool import Mempool, Receipt


def settle_actions(
    look: Look, node: Node, mempool: Mempool, *, actions: Iterable[Action], sender: bytes, confirmations: int
) -> list[tuple[Action, Settlement | None]]:
    """Return those actions whose end differs from what is stored, with the end that the chain shows now.

    An action whose nonce the chain has not used is open, whatever was seen of it before: a reorganization
    took it back. One whose nonce is used ended with whichever of its transactions has a receipt in the
    chain. If none has, somebody else used the key; that is believed only of a nonce used `confirmations`
    blocks ago, because nodes that share an address do not all know a receipt at once.
    """
    nonce = node.nonce(sender, at=look.head)
    settled_nonce: int | None = None
    changes: list[tuple[Action, Settlement | None]] = []
    for action in actions:
        end: Settlement | None = None
        if action.nonce < nonce:
            end = _find_end(look, mempool, action)
            if end is None:
                if settled_nonce is None:
                    deep = look.at(max(0, look.head.number - confirmations + 1))
                    settled_nonce = 0 if deep is None else node.nonce(sender, at=deep)
                if action.nonce < settled_nonce:
                    end = _displaced(look, action)
        if end != action.settlement:
            changes.append((action, end))
    return changes


def _find_end(look: Look, mempool: Mempool, action: Action) -> Settlement | None:
    stored = action.settlement
    if (
        stored is not None
        and stored.outcome != DISPLACED
        and look.holds(stored.block_number, stored.block_hash)
    ):
        return stored
    for variant in action.variants:
        receipt = mempool.receipt(variant.tx_hash)
        if receipt is not None and look.holds(receipt.block_number, receipt.block_hash):
            return Settlement(_outcome(receipt), receipt.block_number, receipt.block_hash)
    return None


def _outcome(receipt: Receipt) -> str:
    return DONE if receipt.succeeded else REVERTED


def _displaced(look: Look, action: Action) -> Settlement:
    if action.settlement is not None and action.settlement.outcome == DISPLACED:
        return action.settlement
    return Settlement(DISPLACED, look.head.number, look.head.hash)
