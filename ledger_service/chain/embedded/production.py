"""Makes one block from pending transactions and stores it whole.

Nothing survives in memory between two blocks: each is built on the committed head, in a buffer that is stored in one
transaction or thrown away. So a failure at any point leaves the chain as it was.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.exceptions import ValidationError

from ledger_service.chain.embedded.logs import collect_logs
from ledger_service.chain.embedded.store import BlockBuffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth.abc import BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI

    from ledger_service.chain.embedded.chain import EmbeddedChain

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Produced:
    """What became of the transactions: in the block, refused for good (with the reason), or left for a later block."""

    header: BlockHeaderAPI | None
    included: tuple[bytes, ...]
    refused: tuple[tuple[bytes, str], ...]


class _Draft:
    """One block while transactions are applied to it."""

    def __init__(self, chain: EmbeddedChain, *, timestamp: int) -> None:
        self.buffer = BlockBuffer(chain.file)
        self.chain = chain.evm(self.buffer)
        self.header = self.chain.create_header_from_parent(
            self.chain.get_canonical_head(), timestamp=timestamp
        )
        self.vm = self.chain.get_vm(self.header)
        self.transactions: list[SignedTransactionAPI] = []
        self.receipts: list[ReceiptAPI] = []

    def fits(self, transaction: SignedTransactionAPI) -> bool:
        """Whether the block has the gas, and the transaction pays the block's base fee."""
        spare = self.header.gas_limit - self.header.gas_used
        return bool(transaction.gas <= spare and transaction.max_fee_per_gas >= self.header.base_fee_per_gas)

    def apply(self, transaction: SignedTransactionAPI) -> None:
        """Execute a transaction. Raises ValidationError, with nothing changed, when it cannot be part of this block."""
        receipt, _ = self.vm.apply_transaction(self.header, transaction)
        self.header = self.vm.increment_blob_gas_used(
            self.vm.add_receipt_to_header(self.header, receipt), transaction
        )
        self.transactions.append(transaction)
        self.receipts.append(receipt)

    def seal(self) -> Any:
        """Compute the roots and put the block with its index entries into the buffer."""
        filled = self.vm.set_block_transactions_and_withdrawals(
            self.vm.get_block(), self.header, tuple(self.transactions), tuple(self.receipts)
        )
        block = self.vm.mine_block(filled).block
        self.chain.persist_block(block)
        return block


def produce_block(
    chain: EmbeddedChain, transactions: Sequence[SignedTransactionAPI], *, timestamp: int
) -> Produced:
    """Make and store the next block from `transactions`, in their order, with this time.

    Returns a `header` of None, and stores nothing, when no transaction could be included. When this returns, the
    block is on the disk and visible. Raises what `ChainFile.store_block` raises.
    """
    refused: list[tuple[bytes, str]] = []
    while True:
        draft = _Draft(chain, timestamp=timestamp)
        broken = _fill(draft, transactions, refused)
        if broken is None:
            break
        # py-evm failed in the middle, so the draft's state is unknown: begin again without that transaction.
        refused.append((broken.hash, "the EVM could not execute it"))
        transactions = [each for each in transactions if each.hash != broken.hash]
    if not draft.transactions:
        return Produced(None, (), tuple(refused))
    block = draft.seal()
    chain.file.store_block(draft.buffer.entries, collect_logs(block, draft.receipts))
    return Produced(block.header, tuple(each.hash for each in draft.transactions), tuple(refused))


def _fill(
    draft: _Draft, transactions: Sequence[SignedTransactionAPI], refused: list[tuple[bytes, str]]
) -> SignedTransactionAPI | None:
    """Apply what can be applied. Return the transaction at which py-evm itself failed, or None."""
    waiting: set[bytes] = set()
    known = {tx_hash for tx_hash, _ in refused}
    for transaction in transactions:
        if transaction.sender in waiting:
            continue
        if not draft.fits(transaction):
            # The sender's later nonces would be refused for the gap, so they wait as well.
            waiting.add(transaction.sender)
            continue
        try:
            draft.apply(transaction)
        except ValidationError as error:
            waiting.add(transaction.sender)
            if transaction.hash not in known:
                refused.append((transaction.hash, str(error)))
        except Exception:  # noqa: BLE001  whatever breaks py-evm must not break the chain
            _log.exception("py-evm failed at transaction 0x%s", transaction.hash.hex())
            return transaction
    return None
