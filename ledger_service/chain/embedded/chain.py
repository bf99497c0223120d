"""What the chain holds: blocks, transactions, receipts and states, read from committed data only.

eth-tester's own look-ups walk the chain from the head; here a transaction is found by py-evm's index of hashes.
All of it may be called from any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth.exceptions import HeaderNotFound, TransactionNotFound

from ledger_service.chain.embedded.genesis import chain_class
from ledger_service.chain.embedded.store import ChainFile, CommittedReads, Identity
from ledger_service.errors import ChainFileError, LedgerError

if TYPE_CHECKING:
    from eth.abc import (
        BlockAPI,
        BlockHeaderAPI,
        ReceiptAPI,
        SignedTransactionAPI,
        StateAPI,
        VirtualMachineAPI,
    )


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction where it stands in the chain."""

    transaction: SignedTransactionAPI
    header: BlockHeaderAPI
    place: int


@dataclass(frozen=True, slots=True)
class MinedReceipt:
    """A receipt with what its block adds to it: the gas of this transaction alone, the number of logs before it."""

    mined: Mined
    receipt: ReceiptAPI
    gas_used: int
    logs_before: int


class EmbeddedChain:
    """The chain in a file that holds at least block 0."""

    def __init__(self, file: ChainFile) -> None:
        """Read from `file`. Raises ChainFileError when it holds no chain, or its newest block is not whole."""
        if file.identity is None:
            raise ChainFileError(f"{file.path.name} holds no chain yet.", file=file.path.name)
        self.file = file
        self.identity: Identity = file.identity
        self.evm = chain_class(self.identity.chain_id)
        try:
            self._chain = self.evm(CommittedReads(file))
            self._check_opening()
        except LedgerError:
            raise
        except Exception as error:
            # py-evm meets a missing or damaged entry in many ways.
            raise ChainFileError(
                "The chain's newest block cannot be read.", cause=type(error).__name__
            ) from error

    @property
    def vm_class(self) -> Any:
        """py-evm's Prague."""
        return self.evm.get_vm_class_for_block_number(0)

    def head(self) -> BlockHeaderAPI:
        """Return the newest block's header."""
        header: BlockHeaderAPI = self._chain.get_canonical_head()
        return header

    def header_at(self, number: int) -> BlockHeaderAPI | None:
        """Return the header of a block number, or None when the chain is not that long."""
        try:
            header: BlockHeaderAPI = self._chain.get_canonical_block_header_by_number(number)
        except HeaderNotFound:
            return None
        return header

    def header_of(self, block_hash: bytes) -> BlockHeaderAPI | None:
        """Return the header with this hash, or None."""
        try:
            header: BlockHeaderAPI = self._chain.get_block_header_by_hash(block_hash)
        except HeaderNotFound:
            return None
        return header

    def header_after(self, parent: BlockHeaderAPI) -> BlockHeaderAPI:
        """Return the header that a block after `parent` would start from, one second later."""
        header: BlockHeaderAPI = self._chain.create_header_from_parent(parent, timestamp=parent.timestamp + 1)
        return header

    def block(self, header: BlockHeaderAPI) -> BlockAPI:
        """Return the block of a header, with its transactions."""
        block: BlockAPI = self._chain.get_block_by_header(header)
        return block

    def receipts(self, header: BlockHeaderAPI) -> tuple[MinedReceipt, ...]:
        """Return all receipts of a block, in order."""
        found = self._chain.chaindb.get_receipts(header, self.vm_class.get_receipt_builder())
        rows: list[MinedReceipt] = []
        gas_before = logs_before = 0
        for place, transaction in enumerate(self.block(header).transactions):
            receipt = found[place]
            used = receipt.gas_used - gas_before
            rows.append(MinedReceipt(Mined(transaction, header, place), receipt, used, logs_before))
            gas_before = receipt.gas_used
            logs_before += len(receipt.logs)
        return tuple(rows)

    def transaction(self, tx_hash: bytes) -> Mined | None:
        """Return the mined transaction with this hash, or None."""
        try:
            number, place = self._chain.get_canonical_transaction_index(tx_hash)
        except TransactionNotFound:
            return None
        header = self.header_at(number)
        assert header is not None
        return Mined(self._chain.get_canonical_transaction_by_index(number, place), header, place)

    def receipt(self, tx_hash: bytes) -> MinedReceipt | None:
        """Return the receipt of a mined transaction, or None. Reads two receipts at most, however full the block is."""
        mined = self.transaction(tx_hash)
        if mined is None:
            return None
        number = mined.header.block_number
        receipt = self._chain.get_transaction_receipt_by_index(number, mined.place)
        gas_before = 0
        if mined.place > 0:
            gas_before = self._chain.get_transaction_receipt_by_index(number, mined.place - 1).gas_used
        ((logs_before,),) = self.file.ask(
            "SELECT count(*) FROM logs WHERE block=? AND tx_place<?", (number, mined.place)
        )
        return MinedReceipt(mined, receipt, receipt.gas_used - gas_before, logs_before)

    def machine(self, header: BlockHeaderAPI) -> VirtualMachineAPI:
        """Return py-evm's machine at a header. What it executes changes nothing in the file."""
        machine: VirtualMachineAPI = self._chain.get_vm(header)
        return machine

    def state(self, header: BlockHeaderAPI) -> StateAPI:
        """Return the accounts after the block of a header."""
        return self.machine(header).state

    def _check_opening(self) -> None:
        """Check in a few reads that the newest block is whole, and that block 0 is the one of the identity."""
        genesis = self.header_at(0)
        if genesis is None or genesis.hash != self.identity.genesis_hash:
            raise ChainFileError(
                "The file's block 0 is not the one its identity names.", file=self.file.path.name
            )
        head = self.head()
        canonical = self.header_at(head.block_number)
        if canonical is None or canonical.hash != head.hash or self.file.read(head.state_root) is None:
            raise ChainFileError("The chain's newest block is not whole.", number=head.block_number)
        if len(self.receipts(head)) != len(self.block(head).transactions):
            raise ChainFileError("The chain's newest block lacks receipts.", number=head.block_number)
