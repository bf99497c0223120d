"""One contract of ours on a chain: what to send it, and what it says, always at one block (design section 6).

Nothing is sent from here. Calls that change something are returned as `Call`; the anchorer stores, signs and
broadcasts them, so that every transaction survives a crash in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger_service.chain.account import Call
from ledger_service.chain.states import RecordState
from ledger_service.errors import AnchorError, ChainUnavailableError, ContractRevertedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.client import Block, Event, Node
    from ledger_service.chain.head_signer import CompactSignature

_ZERO_HASH: Final = bytes(32)
_ADDRESS_BYTES: Final = 20
_OPENER_ROLE: Final = keccak(b"OPENER_ROLE")
# Blocks whose events are read at once. An anchorer changes some eight records in a block.
_STRETCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """An accepted checkpoint; `NO_HEAD` is the one before the first. `time` is the block's, in seconds."""

    size: int
    root: bytes
    time: int
    previous_size: int


NO_HEAD: Final = Head(0, _ZERO_HASH, 0, 0)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint with the head key's signature as the contract takes it: r and, after EIP-2098, vs."""

    size: int
    root: bytes
    r: bytes
    vs: bytes


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """Where an entry stands in a log, with its RFC 9162 inclusion path, lowest level first."""

    index: int
    leaf: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LogReference:
    """A log in any contract on any chain."""

    chain_id: int
    contract: bytes
    log_id: bytes


@dataclass(frozen=True, slots=True)
class LogState:
    """What the contract keeps of a log, apart from its heads."""

    origin_hash: bytes
    publisher: bytes
    size: int
    time: int
    head_key: bytes
    head_key_from: int
    retired: bool


@dataclass(frozen=True, slots=True)
class ContractStatus:
    """A record's status in the contract; `since` is zero for a record that was never changed."""

    state: RecordState
    since: int
    reason: int
    explanation_index: int
    explanation_leaf: bytes


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What was said about the record at `index` with this leaf hash, at a block time in seconds, and where."""

    index: int
    state: RecordState
    since: int
    reason: int
    leaf: bytes
    explanation_index: int
    event: Event


@dataclass(frozen=True, slots=True)
class AcceptedHead:
    """A head and the event that told of it."""

    head: Head
    event: Event


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log as the event of its opening names it."""

    log_id: bytes
    origin: str


class CheckpointLogContract:
    """A deployed contract. Reads raise what `Node` raises, and ContractRevertedError by name."""

    __slots__ = ("_artifact", "_node", "address", "first_block")

    def __init__(self, node: Node, artifact: Artifact, *, address: bytes, first_block: int = 0) -> None:
        """Speak to the contract at `address`, whose events begin no earlier than block `first_block`."""
        self._node = node
        self._artifact = artifact
        self.address = address
        self.first_block = first_block

    # --- calls that change something ------------------------------------------------------------------------

    def open_log(self, origin: str, *, publisher: bytes, head_key: bytes) -> Call:
        """Return the call that opens a log. Needs the opener role."""
        return self._call("open", origin, publisher, head_key)

    def open_successor(
        self, origin: str, *, publisher: bytes, head_key: bytes, previous: LogReference, carried: SignedHead
    ) -> Call:
        """Return the call that continues a log of another contract from the head `carried`."""
        reference = (previous.chain_id, previous.contract, previous.log_id)
        return self._call("openSuccessor", origin, publisher, head_key, reference, _signed_tuple(carried))

    def publish(self, log_id: bytes, *, accepted: Head, offered: SignedHead, path: Sequence[bytes]) -> Call:
        """Return the call that brings the next checkpoint with its RFC 9162 consistency path."""
        return self._call("publish", log_id, _head_tuple(accepted), _signed_tuple(offered), tuple(path))

    def change_status(
        self,
        log_id: bytes,
        *,
        head: Head,
        record: ProvenEntry,
        explanation: ProvenEntry,
        state: RecordState,
        reason: int,
    ) -> Call:
        """Return the call that changes a record's state, explained by a later entry of the same log."""
        return self._call(
            "changeStatus",
            log_id,
            _head_tuple(head),
            _entry_tuple(record),
            _entry_tuple(explanation),
            int(state),
            reason,
        )

    def rotate(self, log_id: bytes, *, publisher: bytes, head_key: bytes, signed: CompactSignature) -> Call:
        """Return the call that gives a log a publisher and a head key, signed by the head key before."""
        return self._call("rotate", log_id, publisher, head_key, signed.r, signed.vs)

    def grant_role(self, account: bytes) -> Call:
        """Return the call that admits an account as an opener; any opener may."""
        return self._call("grantRole", _OPENER_ROLE, account)

    def renounce_role(self, account: bytes) -> Call:
        """Return the call by which an account stops being an opener."""
        return self._call("renounceRole", _OPENER_ROLE, account)

    def retire(self, log_id: bytes, *, successor: LogReference | None, r: bytes, vs: bytes) -> Call:
        """Return the call that closes a log for good, with the head key's signature over the retirement."""
        return self._call("retire", log_id, _reference_tuple(successor), r, vs)

    # --- views ----------------------------------------------------------------------------------------------

    def log_state(self, log_id: bytes, *, at: Block) -> LogState | None:
        """Return what the contract keeps of a log, or None if it knows no such log."""
        try:
            (state,) = self._view("logState", log_id, at=at)
        except ContractRevertedError as error:
            if error.details.get("name") == "UnknownLog":
                return None
            raise
        origin_hash, publisher, size, time, head_key, head_key_from, retired = state
        return LogState(
            origin_hash, _address(publisher), size, time, _address(head_key), head_key_from, retired
        )

    def has_role(self, account: bytes, *, at: Block) -> bool:
        """Tell whether an account may open logs."""
        (held,) = self._view("hasRole", _OPENER_ROLE, account, at=at)
        return bool(held)

    def check_head(self, log_id: bytes, head: Head, *, at: Block) -> Head:
        """Return the head if the contract accepted exactly it, else raise AnchorError."""
        (stored,) = self._view("headHash", log_id, head.size, at=at)
        if stored != head_hash(head):
            raise AnchorError(size=head.size, stored=stored.hex())
        return head

    def find_head(self, log_id: bytes, size: int, *, at: Block) -> AcceptedHead | None:
        """Return the head that was accepted at a size, as its event tells and the state after `at` confirms.

        None if the state holds no such head. Raises ChainUnavailableError if the node hides the event.
        """
        (stored,) = self._view("headHash", log_id, size, at=at)
        if stored == _ZERO_HASH:
            return None
        for accepted in self._heads(log_id, size, first_block=self.first_block, last_block=at.number):
            if stored == head_hash(accepted.head):
                return accepted
        raise ChainUnavailableError(
            "The node does not tell the event of a head that the contract holds.", size=size
        )

    def heads_in_block(self, log_id: bytes, size: int, *, number: int) -> tuple[AcceptedHead, ...]:
        """Return the heads of a size that were accepted in the canonical block of a number: one, or none."""
        return self._heads(log_id, size, first_block=number, last_block=number)

    def all_heads(self, log_id: bytes, *, at: Block) -> tuple[AcceptedHead, ...]:
        """Return every head of a log, oldest first. For auditors; a long log has many, so it is read in stretches."""
        return tuple(
            head
            for first in range(self.first_block, at.number + 1, _STRETCH)
            for head in self._heads(
                log_id, None, first_block=first, last_block=min(at.number, first + _STRETCH - 1)
            )
        )

    def _heads(
        self, log_id: bytes, size: int | None, *, first_block: int, last_block: int
    ) -> tuple[AcceptedHead, ...]:
        topics = [self._artifact.topic("HeadAccepted"), log_id]
        if size is not None:
            topics.append(size.to_bytes(32, "big"))
        events = self._node.events(self.address, topics, first_block=first_block, last_block=last_block)
        told = [(self._artifact.decode_event("HeadAccepted", event), event) for event in events]
        return tuple(
            AcceptedHead(Head(each["size"], each["root"], each["time"], each["previousSize"]), event)
            for each, event in told
        )

    def status_changes(self, log_id: bytes, index: int, *, at: Block) -> tuple[StatusChange, ...]:
        """Return what was ever said about a record, first said first."""
        topics = (self._artifact.topic("StatusChanged"), log_id, index.to_bytes(32, "big"))
        return self._status_changes(topics, first_block=self.first_block, last_block=at.number)

    def all_status_changes(self, log_id: bytes, *, at: Block) -> Iterator[StatusChange]:
        """Yield everything that was ever said about the records of a log, oldest first. For auditors.

        It is read in stretches of blocks that cannot hold more events than a node may answer with.
        """
        topics = (self._artifact.topic("StatusChanged"), log_id)
        for first in range(self.first_block, at.number + 1, _STRETCH):
            last = min(at.number, first + _STRETCH - 1)
            yield from self._status_changes(topics, first_block=first, last_block=last)

    def _status_changes(
        self, topics: Sequence[bytes], *, first_block: int, last_block: int
    ) -> tuple[StatusChange, ...]:
        found = self._node.events(self.address, topics, first_block=first_block, last_block=last_block)
        told = [(self._artifact.decode_event("StatusChanged", event), event) for event in found]
        return tuple(
            StatusChange(
                each["index"],
                RecordState(each["state"]),
                each["since"],
                each["reason"],
                each["leaf"],
                each["explanationIndex"],
                event,
            )
            for each, event in told
        )

    def logs_opened(self, opener: bytes, *, at: Block, origin: str | None = None) -> tuple[OpenedLog, ...]:
        """Return the logs that an account opened, of one origin if given, first opened first."""
        topics = [self._artifact.topic("LogOpened"), None, opener.rjust(32, b"\0")]
        if origin is not None:
            topics.append(keccak(origin.encode()))
        found = self._node.events(self.address, topics, first_block=self.first_block, last_block=at.number)
        opened = [self._artifact.decode_event("LogOpened", event) for event in found]
        return tuple(OpenedLog(each["logId"], each["origin"]) for each in opened)

    def find_log(self, opener: bytes, origin: str, *, at: Block) -> bytes | None:
        """Return the id of the first log that an account opened for an origin, or None if there is none."""
        for opened in self.logs_opened(opener, at=at, origin=origin):
            if opened.origin == origin and self.log_state(opened.log_id, at=at) is not None:
                return opened.log_id
        return None

    def verify_inclusion(self, log_id: bytes, *, head: Head, entry: ProvenEntry, at: Block) -> None:
        """Have the contract prove that an entry stands in a log; raises ContractRevertedError."""
        self._view("verifyInclusion", log_id, _head_tuple(head), _entry_tuple(entry), at=at)

    def status_of(self, log_id: bytes, *, head: Head, record: ProvenEntry, at: Block) -> ContractStatus:
        """Return a record's status; the contract asks for proof that the record exists."""
        (status,) = self._view("statusOf", log_id, _head_tuple(head), _entry_tuple(record), at=at)
        state, since, reason, explanation_index, explanation_leaf = status
        return ContractStatus(RecordState(state), since, reason, explanation_index, explanation_leaf)

    def successor_of(self, log_id: bytes, *, at: Block) -> LogReference | None:
        """Return where a retired log goes on, or None."""
        ((chain_id, contract, successor),) = self._view("successorOf", log_id, at=at)
        return LogReference(chain_id, _address(contract), successor) if successor != _ZERO_HASH else None

    # --- parts ----------------------------------------------------------------------------------------------

    def name_revert(self, error: ContractRevertedError) -> ContractRevertedError:
        """Return the same revert with the custom error's `name` and `args`; the name is "" if it has none."""
        return name_revert(self._artifact, error)

    def _call(self, function: str, *arguments: object) -> Call:
        return Call(self.address, self._artifact.encode_call(function, *arguments))

    def _view(self, function: str, *arguments: object, at: Block) -> tuple[Any, ...]:
        data = self._artifact.encode_call(function, *arguments)
        try:
            answer = self._node.call(self.address, data, at=at)
        except ContractRevertedError as error:
            raise self.name_revert(error) from error
        return self._artifact.decode_result(function, answer)


def deployment(artifact: Artifact, *, opener: bytes) -> Call:
    """Return the call that deploys a contract whose only opener is one account."""
    return Call(None, artifact.encode_deployment([opener]))


def name_revert(artifact: Artifact, error: ContractRevertedError) -> ContractRevertedError:
    """Return a revert with the custom error's `name` and `args` beside its bytes."""
    data = error.details["data"]
    assert isinstance(data, bytes)
    known = artifact.decode_error(data)
    name, args = known if known is not None else ("", {})
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in args.items()}
    words = f"The contract refuses the call: {name or 'without a reason'} {shown or ''}".rstrip()
    return ContractRevertedError(words, data=data, name=name, args=args)


def head_hash(head: Head) -> bytes:
    """Return what the contract stores of a head."""
    return keccak(encode(["bytes32", "uint64", "uint64"], [head.root, head.time, head.previous_size]))


def predict_log_id(*, chain_id: int, contract: bytes, opener: bytes, origin: str, nonce: int) -> bytes:
    """Return the id of the log that an account opens as its `nonce`-th, from zero (design section 6)."""
    types = ["uint256", "address", "address", "bytes32", "uint64"]
    return keccak(encode(types, [chain_id, contract, opener, keccak(origin.encode()), nonce]))


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _head_tuple(head: Head) -> tuple[object, ...]:
    return (head.size, head.root, head.time, head.previous_size)


def _signed_tuple(signed: SignedHead) -> tuple[object, ...]:
    return (signed.size, signed.root, signed.r, signed.vs)


def _entry_tuple(entry: ProvenEntry) -> tuple[object, ...]:
    return (entry.index, entry.leaf, entry.path)


def _reference_tuple(reference: LogReference | None) -> tuple[object, ...]:
    if reference is None:
        return (0, bytes(_ADDRESS_BYTES), _ZERO_HASH)
    return (reference.chain_id, reference.contract, reference.log_id)
