"""The status of a record: a positive statement, never the absence of one (design section 9, step 7).

    {log, index, leaf, state, since, reason, history, as_of: {size, root, time}, proof}

`history` lists every change up to `as_of`, oldest first, as {state, since, known, reason, index}: in force
from `since`, in the log from `known`, as entry `index` says (the first is the record itself). The outer state
is the one in force at `as_of`. A signed proof covers "audit-ledger/status/v1" || 0x00 || the canonical
statement without its proof.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.errors import CouldNotCheckError, MalformedError
from ledger_service.proofs.canonical import JsonValue, encode, encode_base64url, format_time, parse_time
from ledger_service.proofs.entry import Pointer, format_pointer, parse_pointer
from ledger_service.proofs.note import VerifierKey, check_ed25519_signature
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.types import LeafIndex, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

ACTIVE: Final = "active"
# Ascending: where log and contract disagree, the later in this list counts.
STATES: Final = (ACTIVE, "suspended", "superseded", "refunded", "withdrawn", "revoked")
REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")

_MESSAGE_LABEL = b"audit-ledger/status/v1\x00"
_MEMBERS = ("log", "index", "leaf", "state", "since", "reason", "history", "as_of", "proof")
_KEY = re.compile(r"[^+]+\+[0-9a-f]{8}")
# Types whose proof the kernel passes on: a committed map, or the contract's state at a block.
_OTHER_TYPES = frozenset({"map", "chain"})


@dataclass(frozen=True, slots=True)
class StatusChange:
    """From `since` on the record is in `state`, as entry `index`, in the log since `known`, says."""

    state: str
    since: datetime
    known: datetime
    reason: str
    index: LeafIndex


@dataclass(frozen=True, slots=True)
class AsOf:
    """The tree head up to which a statement has read the log."""

    size: TreeSize
    root: RootHash
    time: datetime


@dataclass(frozen=True, slots=True)
class SignedProof:
    """The operator's word: `key` is `<name>+<hex key id>` of its status key."""

    key: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class OtherProof:
    """A proof that needs more than the kernel has. `members` are kept as they came."""

    type: str
    members: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class StatusStatement:
    """What a record's status was at `as_of`, and how it came about; raises MalformedError if inconsistent."""

    pointer: Pointer
    history: tuple[StatusChange, ...]
    as_of: AsOf
    proof: SignedProof | OtherProof | None = None

    def __post_init__(self) -> None:
        """Refuse a history that is empty, out of order, or not yet in force at `as_of`."""
        _check_history(self)
        _ = self.current

    @property
    def current(self) -> StatusChange:
        """The change in force at `as_of`."""
        change = find_change(self, at=self.as_of.time, known_at=self.as_of.time)
        if change is None:
            raise MalformedError("No status change is in force at the time of the statement.")
        return change


def find_change(statement: StatusStatement, *, at: datetime, known_at: datetime) -> StatusChange | None:
    """Return the last change known at `known_at` that was in force at `at`, or None if there was none yet."""
    for change in reversed(statement.history):
        if change.known <= known_at and change.since <= at:
            return change
    return None


def status_key_name(origin: str) -> str:
    """Return the name of the key that signs a log's status statements."""
    return f"{origin}/status"


def status_message(statement: StatusStatement) -> bytes:
    """Return the bytes that the status key signs."""
    return _MESSAGE_LABEL + encode(_body(statement))


def signed_proof(key: VerifierKey, signature: bytes) -> SignedProof:
    """Return the proof that says: `key` made `signature` over `status_message`."""
    return SignedProof(f"{key.name}+{key.key_id.hex()}", signature)


def check_signed_status(statement: StatusStatement, keys: Sequence[VerifierKey]) -> VerifierKey:
    """Return the one of `keys` that signed the statement.

    Raises CouldNotCheckError when the proof is of another type or by another key, SignatureError when it is
    by one of `keys` and does not verify.
    """
    proof = statement.proof
    if not isinstance(proof, SignedProof):
        raise CouldNotCheckError("The status statement is not signed, and its proof needs a node.")
    for key in keys:
        if proof.key == f"{key.name}+{key.key_id.hex()}" and key.name == status_key_name(
            statement.pointer.log
        ):
            check_ed25519_signature(status_message(statement), signature=proof.sig, key=key)
            return key
    raise CouldNotCheckError("The status statement is signed by an unknown key.")


def format_status(statement: StatusStatement) -> dict[str, JsonValue]:
    """Return the statement as JSON, as it stands in evidence; raises MalformedError when it has no proof."""
    proof = statement.proof
    if proof is None:
        raise MalformedError("A status statement without proof says nothing.")
    if isinstance(proof, SignedProof):
        members: Mapping[str, JsonValue] = {"key": proof.key, "sig": encode_base64url(proof.sig)}
        return {**_body(statement), "proof": {**members, "type": "signed"}}
    return {**_body(statement), "proof": {**proof.members, "type": proof.type}}


def parse_status(value: JsonValue) -> StatusStatement:
    """Return the statement that `format_status` writes as `value`; raises MalformedError."""
    members = object_of(value, _MEMBERS, what="The status")
    statement = StatusStatement(
        pointer=parse_pointer({name: members[name] for name in ("log", "index", "leaf")}),
        history=tuple(_parse_change(item) for item in list_of(members["history"], what="history")),
        as_of=_parse_as_of(members["as_of"]),
        proof=_parse_proof(members["proof"]),
    )
    if format_status(statement) != members:
        raise MalformedError("The status is not the one its history has at as_of.")
    return statement


def _body(statement: StatusStatement) -> dict[str, JsonValue]:
    pointer = format_pointer(statement.pointer)
    assert isinstance(pointer, dict)
    current = statement.current
    return {
        **pointer,
        "state": current.state,
        "since": format_time(current.since),
        "reason": current.reason,
        "history": [
            {
                "state": change.state,
                "since": format_time(change.since),
                "known": format_time(change.known),
                "reason": change.reason,
                "index": change.index,
            }
            for change in statement.history
        ],
        "as_of": {
            "size": statement.as_of.size,
            "root": encode_base64url(statement.as_of.root),
            "time": format_time(statement.as_of.time),
        },
    }


def _parse_change(value: JsonValue) -> StatusChange:
    members = object_of(value, ("state", "since", "known", "reason", "index"), what="A status change")
    return StatusChange(
        state=text_of(members["state"], what="state"),
        since=parse_time(text_of(members["since"], what="since")),
        known=parse_time(text_of(members["known"], what="known")),
        reason=text_of(members["reason"], what="reason"),
        index=LeafIndex(integer_of(members["index"], what="index")),
    )


def _parse_as_of(value: JsonValue) -> AsOf:
    members = object_of(value, ("size", "root", "time"), what="as_of")
    return AsOf(
        size=TreeSize(integer_of(members["size"], what="size")),
        root=RootHash(bytes_of(members["root"], what="root", size=32)),
        time=parse_time(text_of(members["time"], what="time")),
    )


def _parse_proof(value: JsonValue) -> SignedProof | OtherProof:
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(kind, str) and kind in _OTHER_TYPES:
        return OtherProof(kind, {name: member for name, member in value.items() if name != "type"})
    members = object_of(value, ("type", "key", "sig"), what="The status proof")
    if members["type"] != "signed":
        raise MalformedError("The status proof is of an unknown type.")
    return SignedProof(
        key=text_of(members["key"], what="key", pattern=_KEY),
        sig=bytes_of(members["sig"], what="sig", size=64),
    )


def _check_history(statement: StatusStatement) -> None:
    history = statement.history
    if not history or history[0].index != statement.pointer.index:
        raise MalformedError("The history does not begin with the record itself.")
    for change in history:
        if change.state not in STATES or REASON.fullmatch(change.reason) is None:
            raise MalformedError("A status change has an unknown state or a malformed reason.")
    for earlier, later in itertools.pairwise(history):
        if earlier.index >= later.index or earlier.known > later.known:
            raise MalformedError("The history is not in the order of the log.")
