"""Reads a chain through one node, always at a named block, and notices when it is not the chain it was.

The node is a stranger that may be slow, stale, replaced or wrong. Every read after the first names a block
hash, so that an answer is about one state of the chain or is BlockGoneError; nothing is pieced together
from two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from eth_utils.crypto import keccak

from ledger_service.chain.wire import (
    format_data,
    format_quantity,
    parse_data,
    parse_list,
    parse_object,
    parse_quantity,
)
from ledger_service.errors import (
    BlockGoneError,
    ChainRefusedError,
    ChainReplacedError,
    ChainUnavailableError,
    ContractReplacedError,
    ContractRevertedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Geth, Besu, Anvil and py-evm have no common code for a block they do not know, only words.
_GONE_WORDS: Final = ("not found", "not canonical", "unknown block", "missing trie node", "header not found")
_INVALID_PARAMS: Final = -32602
MAX_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """What makes a chain this chain."""

    chain_id: int
    genesis_hash: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the node states it. `header` keeps the fields as they came, for `headers.encode_header`."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    gas_limit: int
    base_fee_wei: int | None
    header: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """A log entry of a transaction that the contract wrote."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes


class Answers(Protocol):
    """What answers JSON-RPC requests: a node over HTTP (`JsonRpc`), or the embedded chain's file."""

    def ask(self, method: str, *params: object) -> Any:
        """Return the result of one request; raises ChainRefusedError, or another ChainError for no result."""
        ...


class Node:
    """A chain read through one node. Durable: nothing. Ordered: nothing, except that a read is at one block.

    Every method raises ChainUnavailableError when the node does not answer sensibly in time, and
    BlockGoneError when the block asked about has left the chain.
    """

    __slots__ = ("_reads_by_hash", "rpc")

    def __init__(self, rpc: Answers) -> None:
        """Read through `rpc`; nothing is sent yet."""
        self.rpc = rpc
        self._reads_by_hash = True

    def identity(self) -> ChainIdentity:
        """Return the chain id and the hash of block 0."""
        chain_id = parse_quantity(self.rpc.ask("eth_chainId"), what="chain id")
        genesis = self.block(0)
        if genesis is None:
            raise ChainUnavailableError("The node has no block 0.")
        return ChainIdentity(chain_id, genesis.hash)

    def block(self, which: int | bytes | Literal["latest"]) -> Block | None:
        """Return the block of a number or a hash, or the newest one; None if the chain has none."""
        if isinstance(which, bytes):
            found = self.rpc.ask("eth_getBlockByHash", format_data(which), False)  # noqa: FBT003
        else:
            name = which if isinstance(which, str) else format_quantity(which)
            found = self.rpc.ask("eth_getBlockByNumber", name, False)  # noqa: FBT003
        if found is None:
            return None
        block = parse_block(found)
        if (isinstance(which, int) and block.number != which) or (
            isinstance(which, bytes) and block.hash != which
        ):
            raise ChainUnavailableError("The node answered with another block than the one asked for.")
        return block

    def call(self, address: bytes, data: bytes, *, at: Block) -> bytes:
        """Return what a contract answers in the state after `at`.

        Raises ContractRevertedError with the revert's bytes as `data` (empty if the node keeps them back).
        """
        request = {"to": format_data(address), "data": format_data(data)}
        try:
            return parse_data(self._at_block("eth_call", request, at=at), what="call result")
        except ChainRefusedError as refusal:
            revert = revert_data(refusal)
            if revert is None:
                raise
            raise ContractRevertedError(data=revert) from refusal

    def code(self, address: bytes, *, at: Block) -> bytes:
        """Return the code at an address in the state after `at`; empty if there is none."""
        return parse_data(self._at_block("eth_getCode", format_data(address), at=at), what="code")

    def events(
        self, address: bytes, topics: Sequence[bytes | None], *, first_block: int, last_block: int
    ) -> tuple[Event, ...]:
        """Return the events of a contract in a range of canonical blocks, oldest first.

        The range is read by number, so the caller checks the blocks' hashes. Events that do not match the
        question are refused: a node that mixes answers up must not be believed about any of them.
        """
        question = {
            "address": format_data(address),
            "topics": [None if topic is None else format_data(topic) for topic in topics],
            "fromBlock": format_quantity(first_block),
            "toBlock": format_quantity(last_block),
        }
        answer = parse_list(self.rpc.ask("eth_getLogs", question), what="list of events")
        if len(answer) > MAX_EVENTS:
            raise ChainUnavailableError(f"The node answered with more than {MAX_EVENTS} events.")
        events = tuple(parse_event(item) for item in answer)
        for event in events:
            wrong = any(
                wanted is not None and (len(event.topics) <= place or event.topics[place] != wanted)
                for place, wanted in enumerate(topics)
            )
            if wrong or event.address != address or not first_block <= event.block_number <= last_block:
                raise ChainUnavailableError("The node answered with events that were not asked for.")
        return events

    def newest(self) -> Block:
        """Return the newest block."""
        head = self.block("latest")
        if head is None:
            raise ChainUnavailableError("The node has no newest block.")
        return head

    def nonce(self, account: bytes, *, at: Block) -> int:
        """Return how many transactions of an account the chain up to `at` holds."""
        return parse_quantity(
            self._at_block("eth_getTransactionCount", format_data(account), at=at), what="nonce"
        )

    def balance_wei(self, account: bytes, *, at: Block) -> int:
        """Return an account's balance in the state after `at`."""
        return parse_quantity(self._at_block("eth_getBalance", format_data(account), at=at), what="balance")

    def _at_block(self, method: str, subject: object, *, at: Block) -> object:
        """Ask about the state after a block: by hash (EIP-1898), or by number between two looks at it."""
        if self._reads_by_hash:
            try:
                return self.rpc.ask(
                    method, subject, {"blockHash": format_data(at.hash), "requireCanonical": True}
                )
            except ChainRefusedError as refusal:
                if _says_gone(refusal):
                    raise BlockGoneError(number=at.number, hash=format_data(at.hash)) from refusal
                if refusal.details["rpc_code"] != _INVALID_PARAMS:
                    raise
                self._reads_by_hash = False
        check_canonical(self, at)
        answer = self.rpc.ask(method, subject, format_quantity(at.number))
        check_canonical(self, at)
        return answer


def check_canonical(node: Node, block: Block) -> None:
    """Raise BlockGoneError unless the node's chain has this block at its number."""
    found = node.block(block.number)
    if found is None or found.hash != block.hash:
        raise BlockGoneError(number=block.number, hash=format_data(block.hash))


def check_identity(node: Node, pinned: ChainIdentity) -> None:
    """Raise ChainReplacedError unless the node serves the pinned chain."""
    found = node.identity()
    if found != pinned:
        raise ChainReplacedError(
            expected_chain_id=pinned.chain_id,
            expected_genesis=format_data(pinned.genesis_hash),
            found_chain_id=found.chain_id,
            found_genesis=format_data(found.genesis_hash),
        )


def check_code(node: Node, address: bytes, *, code_hash: bytes, at: Block) -> None:
    """Raise ContractReplacedError unless the code's Keccak-256 in the state after `at` is `code_hash`."""
    found = keccak(node.code(address, at=at))
    if found != code_hash:
        raise ContractReplacedError(
            contract=format_data(address), expected=format_data(code_hash), found=format_data(found)
        )


def parse_block(value: object) -> Block:
    """Read a block object of JSON-RPC. Raises ChainUnavailableError."""
    fields = parse_object(value, what="block")
    base_fee = fields.get("baseFeePerGas")
    return Block(
        number=parse_quantity(fields.get("number"), what="block number"),
        hash=parse_data(fields.get("hash"), what="block hash", size=32),
        parent=parse_data(fields.get("parentHash"), what="parent hash", size=32),
        time=parse_quantity(fields.get("timestamp"), what="block time"),
        gas_limit=parse_quantity(fields.get("gasLimit"), what="gas limit"),
        base_fee_wei=None if base_fee is None else parse_quantity(base_fee, what="base fee"),
        header={
            name: field
            for name, field in fields.items()
            if name not in {"transactions", "withdrawals", "uncles"}
        },
    )


def parse_event(value: object) -> Event:
    """Read a log object of JSON-RPC. Raises ChainUnavailableError."""
    fields = parse_object(value, what="event")
    topics = parse_list(fields.get("topics"), what="event's topics")
    return Event(
        address=parse_data(fields.get("address"), what="event's address", size=20),
        topics=tuple(parse_data(topic, what="event's topic", size=32) for topic in topics),
        data=parse_data(fields.get("data"), what="event's data"),
        block_number=parse_quantity(fields.get("blockNumber"), what="event's block number"),
        block_hash=parse_data(fields.get("blockHash"), what="event's block hash", size=32),
        tx_hash=parse_data(fields.get("transactionHash"), what="event's transaction hash", size=32),
    )


def revert_data(refusal: ChainRefusedError) -> bytes | None:
    """Return the revert's bytes that a node put into a refusal, or None if the refusal is no revert.

    Nodes differ: the bytes stand in `data`, in `data.data`, or (Besu, old Geth) nowhere.
    """
    words = str(refusal.details.get("words", "")).lower()
    data = refusal.details.get("data")
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and data.startswith("0x"):
        return parse_data(data, what="revert data")
    return b"" if "revert" in words else None


def _says_gone(refusal: ChainRefusedError) -> bool:
    words = str(refusal.details["words"]).lower()
    return any(each in words for each in _GONE_WORDS) and "method" not in words
