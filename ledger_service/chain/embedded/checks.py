"""Reads a whole chain and checks it: what `--check` does, and what the crash tests rely on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.chain import BlockDataKey
from eth.db.schema import SchemaV1
from eth.db.trie import make_trie_root_and_nodes
from eth_hash.auto import keccak
from eth_typing import Address

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.logs import collect_logs
from ledger_service.chain.embedded.store import LogRow
from ledger_service.errors import ChainFileError, LedgerError

if TYPE_CHECKING:
    from eth.abc import BlockHeaderAPI, ReceiptAPI

    from ledger_service.chain.embedded.store import ChainFile

_PAGE: Final = 10_000
_HASH_BYTES: Final = 32
# A node of two items is an extension or, with this bit in its path's first byte, a leaf (Yellow Paper, appendix C).
_PAIR: Final = 2
_LEAF_FLAG: Final = 0x20


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What was read and found right."""

    chain_id: int
    blocks: int
    transactions: int
    logs: int

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)


def check_chain(file: ChainFile) -> ChainCheck:
    """Check every stored node against its hash, every block against its parent and roots, and both indexes.

    Raises ChainFileError at the first that is wrong. Transactions are not executed again. What py-evm notes for
    itself (scores, gaps) is not checked: nothing is read from it here.
    """
    try:
        _check_content(file)
        return _check_blocks(EmbeddedChain(file))
    except LedgerError:
        raise
    except Exception as error:
        # py-evm meets a missing or damaged entry in many ways.
        raise ChainFileError("The chain cannot be read to its end.", cause=type(error).__name__) from error


def _check_content(file: ChainFile) -> None:
    """Check the database's pages, and what is stored under its own hash: headers, nodes of tries, code."""
    said = file.ask("PRAGMA integrity_check(1)")
    if said != [("ok",)]:
        raise ChainFileError("The file's pages do not agree.", said=str(said[0][0])[:200])
    last = b""
    while True:
        rows = file.ask("SELECT key, value FROM entries WHERE key>? ORDER BY key LIMIT ?", (last, _PAGE))
        if not rows:
            return
        for key, value in rows:
            if len(key) == _HASH_BYTES and keccak(value) != key:
                raise ChainFileError("A stored value does not have its hash.", key=key.hex())
        last = rows[-1][0]


def _check_blocks(chain: EmbeddedChain) -> ChainCheck:
    head = chain.head()
    transactions = logs = 0
    parent: BlockHeaderAPI | None = None
    for number in range(head.block_number + 1):
        header = _check_header(chain, number, parent)
        receipts = _check_block(chain, header)
        transactions += len(receipts)
        logs += sum(len(each.logs) for each in receipts)
        parent = header
    ((beyond,),) = chain.file.ask("SELECT count(*) FROM logs WHERE block>?", (head.block_number,))
    if beyond:
        raise ChainFileError("The log index knows blocks after the newest.", number=head.block_number)
    chain.state(head).get_balance(Address(chain.identity.funded))
    _check_state(chain.file, head.state_root)
    return ChainCheck(chain.identity.chain_id, head.block_number + 1, transactions, logs)


def _check_state(file: ChainFile, root: bytes) -> None:
    """Check that every account of the newest state, its storage and its code are there."""
    waiting = [(root, True)]
    while waiting:
        key, accounts = waiting.pop()
        stored = file.read(key)
        if stored is None and key != BLANK_ROOT_HASH:
            raise ChainFileError("A part of the newest state is missing.", key=key.hex())
        nodes = [] if stored is None else [rlp.decode(stored)]
        while nodes:
            node = nodes.pop()
            is_leaf = len(node) == _PAIR and node[0][0] & _LEAF_FLAG
            for child in () if is_leaf else node[1:] if len(node) == _PAIR else node[:16]:
                if isinstance(child, list):
                    nodes.append(child)
                elif len(child) == _HASH_BYTES:
                    waiting.append((child, accounts))
            if is_leaf and accounts:
                _, _, storage, code = rlp.decode(node[1])
                waiting.append((storage, False))
                if code != EMPTY_SHA3 and file.read(code) is None:
                    raise ChainFileError("The code of a contract is missing.", key=code.hex())


def _check_block(chain: EmbeddedChain, header: BlockHeaderAPI) -> list[ReceiptAPI]:
    """Check what a header names, and what the indexes say about it. Return the receipts."""
    number = header.block_number
    receipts = [each.receipt for each in chain.receipts(header)]
    block = chain.block(header)
    if make_trie_root_and_nodes(block.transactions)[0] != header.transaction_root:
        raise ChainFileError("A block's transactions do not have its root.", number=number)
    if make_trie_root_and_nodes(receipts)[0] != header.receipt_root:
        raise ChainFileError("A block's receipts do not have its root.", number=number)
    if _indexed_logs(chain.file, number) != collect_logs(block, receipts):
        raise ChainFileError("The log index does not agree with a block's receipts.", number=number)
    for place, transaction in enumerate(block.transactions):
        key = SchemaV1.make_transaction_hash_to_block_lookup_key(transaction.hash)
        if chain.file.read(key) != rlp.encode(BlockDataKey(number, place)):
            raise ChainFileError("The transaction index does not agree with a block.", number=number)
    return receipts


def _check_header(chain: EmbeddedChain, number: int, parent: BlockHeaderAPI | None) -> BlockHeaderAPI:
    header = chain.header_at(number)
    if header is None:
        raise ChainFileError("A block is missing.", number=number)
    stored = chain.file.read(header.hash)
    if stored is None or keccak(stored) != header.hash or rlp.encode(header) != stored:
        raise ChainFileError("A block's header does not have its hash.", number=number)
    if header.block_number != number:
        raise ChainFileError("A block has another number than its place.", number=number)
    if parent is not None and (header.parent_hash != parent.hash or header.timestamp <= parent.timestamp):
        raise ChainFileError("A block does not follow its parent.", number=number)
    return header


def _indexed_logs(file: ChainFile, number: int) -> list[LogRow]:
    rows = file.ask("SELECT * FROM logs WHERE block=? ORDER BY place", (number,))
    return [LogRow.from_row(row) for row in rows]
