"""Trust policies (C2SP tlog-policy): whose signatures a checkpoint must carry.

    log <vkey of the log's Ed25519 key>
    witness log-mldsa <vkey of its ML-DSA-44 key>
    quorum log-mldsa

The log's own ML-DSA key stands as a witness in the quorum, so that neither of its signatures can be dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.errors import CouldNotCheckError, MalformedError, PolicyError
from ledger_service.proofs.checkpoint import Checkpoint, check_signature, parse_checkpoint
from ledger_service.proofs.note import (
    ALG_COSIGNATURE,
    ALG_ED25519,
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    find_signature,
    format_vkey,
    parse_note,
    parse_vkey,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_QUORUM = "none"
MAX_POLICY_SIZE = 1 << 20

_LOG_TYPES = frozenset({ALG_ED25519, ALG_MLDSA44})
_WITNESS_TYPES = frozenset({ALG_COSIGNATURE, ALG_MLDSA44})
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner and the name by which groups and the quorum refer to it."""

    name: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses when at least `threshold` of `members`, names of witnesses and earlier groups, do."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which log keys are accepted, and what must cosign. URLs are not kept: nothing here connects."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint signed as a policy demands, by `log_key`, and when it was cosigned (seconds from 1970)."""

    checkpoint: Checkpoint
    note: Note
    log_key: VerifierKey
    cosigned: Mapping[str, int]
    unchecked_lines: tuple[Signature, ...]


def format_policy(policy: Policy) -> bytes:
    """Return the policy file, without comments and URLs; raises MalformedError when it would not parse."""
    lines = [f"log {format_vkey(key)}" for key in policy.logs]
    lines += [f"witness {witness.name} {format_vkey(witness.key)}" for witness in policy.witnesses]
    lines += [f"group {group.name} {group.threshold} {' '.join(group.members)}" for group in policy.groups]
    data = "".join(f"{line}\n" for line in [*lines, f"quorum {policy.quorum}"]).encode(
        errors="surrogateescape"
    )
    if parse_policy(data) != policy:
        raise MalformedError("The policy cannot be written down.")
    return data


def parse_policy(data: bytes) -> Policy:
    """Return the policy that a file states; raises MalformedError."""
    if len(data) > MAX_POLICY_SIZE or _CONTROL.search(data) or not data.endswith(b"\n"):
        raise MalformedError(
            "The policy is too large, holds a control character or does not end in a newline."
        )
    # Names are opaque octets; surrogateescape keeps every one of them apart.
    lines = data.decode(errors="surrogateescape").split("\n")
    parser = _Parser()
    for line in lines:
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if words != [""] and not words[0].startswith("#"):
            parser.add(words)
    return parser.policy()


def check_policy(data: bytes, policy: Policy) -> VerifiedCheckpoint:
    """Return the checkpoint in a note, once its signatures satisfy `policy`.

    Raises MalformedError; CouldNotCheckError when no known key of that log signed; SignatureError when a
    known key's signature does not verify; PolicyError when the quorum is not reached.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    keys = [key for key in policy.logs if key.name == checkpoint.origin]
    if not keys:
        raise CouldNotCheckError(f"The policy names no key of the log {checkpoint.origin}.")
    signed = [key for key in keys if find_signature(note, key) is not None]
    if not signed:
        raise CouldNotCheckError("The checkpoint is not signed by a log key that the policy names.")
    for key in signed:
        check_signature(note, key)
    witnesses = [witness for witness in policy.witnesses if find_signature(note, witness.key) is not None]
    cosigned = {witness.name: check_signature(note, witness.key) or 0 for witness in witnesses}
    _check_quorum(policy, set(cosigned))
    known = {(key.name, key.key_id) for key in (*signed, *(witness.key for witness in witnesses))}
    unchecked = tuple(line for line in note.signatures if (line.name, line.key_id) not in known)
    return VerifiedCheckpoint(checkpoint, note, signed[0], cosigned, unchecked)


def _check_quorum(policy: Policy, witnessed: set[str]) -> None:
    for group in policy.groups:
        if len(witnessed.intersection(group.members)) >= group.threshold:
            witnessed.add(group.name)
    if policy.quorum != NO_QUORUM and policy.quorum not in witnessed:
        raise PolicyError(f"The checkpoint is not cosigned by the quorum {policy.quorum}.")


@dataclass(slots=True)
class _Parser:
    """Collects the lines of one policy file in order."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    names: set[str] = field(default_factory=set)
    grouped: set[str] = field(default_factory=set)

    def add(self, words: Sequence[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(_parse_key(vkey, allowed=_LOG_TYPES, others=self.logs))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                others = [witness.key for witness in self.witnesses]
                key = _parse_key(vkey, allowed=_WITNESS_TYPES, others=others)
                self.witnesses.append(Witness(self._define(name), key))
            case ["group", name, threshold, *members] if members:
                self._add_group(name, threshold, tuple(members))
            case ["quorum", name] if self.quorum is None and (name == NO_QUORUM or name in self.names):
                self.quorum = name
            case _:
                raise MalformedError("A line of the policy is not understood.", line=" ".join(words)[:80])

    def policy(self) -> Policy:
        if self.quorum is None:
            raise MalformedError("The policy has no quorum line.")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _define(self, name: str) -> str:
        if name == NO_QUORUM or name in self.names:
            raise MalformedError("The policy defines a name twice, or the name none.")
        self.names.add(name)
        return name

    def _add_group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        # A name may be a member only once in the whole file, so that no witness counts in two ways.
        if len(set(members)) != len(members) or not self.names.issuperset(members):
            raise MalformedError("A group has a member that is doubled or not defined above it.")
        if self.grouped.intersection(members):
            raise MalformedError("A name is a member of two groups.")
        self.grouped.update(members)
        needed = {"any": 1, "all": len(members)}.get(threshold)
        if needed is None:
            needed = int(threshold) if _THRESHOLD.fullmatch(threshold) else 0
        if not 1 <= needed <= len(members):
            raise MalformedError("A group's threshold is not all, any or a number of its members.")
        self.groups.append(Group(self._define(name), needed, members))


def _parse_key(text: str, *, allowed: frozenset[bytes], others: Sequence[VerifierKey]) -> VerifierKey:
    key = parse_vkey(text)
    if key.alg not in allowed:
        raise MalformedError("A key of the policy is of a type that cannot do this.", key=key.name)
    if any(key.public_key == other.public_key for other in others):
        raise MalformedError("The policy lists a public key twice.", key=key.name)
    return key
