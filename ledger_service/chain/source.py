"""What the chain side reads from the logs. The sequencer knows nothing of the chain: the anchorer polls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.chain.states import RecordState
    from ledger_service.proofs.note import VerifierKey


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log's newest published checkpoint, and the kind of contract that its heads belong into.

    `era` counts how often the log's keys were replaced.
    """

    log: int
    origin: str
    contract_kind: str
    size: int
    root: bytes
    era: int = 0


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A published checkpoint: the signed note and the key of its line 3.

    `era` is the key's. `next_key` is the head key of the era after it, if its era is over: the checkpoint is
    then the last that it may sign.
    """

    head: LogHead
    note: bytes
    head_key: VerifierKey
    era: int = 0
    next_key: VerifierKey | None = None


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change of a record's status as the log has it; `record` and `explanation` are positions in the log."""

    record: int
    explanation: int
    state: RecordState
    reason: int


class ProofSource(Protocol):
    """The logs as the anchorer needs them. It only reads, and only what is published and durable.

    Between two calls a log may grow; it never shrinks. Raises the log package's errors for a damaged log.
    """

    def heads(self) -> Sequence[LogHead]:
        """Return the newest checkpoint of every log that has one."""
        ...

    def signed(self, log: int, *, head_key: bytes | None = None) -> SignedCheckpoint:
        """Return a log's newest checkpoint with its note, or the newest that a head key signs, by its address.

        Raises PolicyError when the log has no such key.
        """
        ...

    def root_at(self, log: int, size: int) -> bytes:
        """Return the root of a log's first `size` entries, at most as many as it has."""
        ...

    def prove_consistency(self, log: int, first: int, second: int) -> Sequence[bytes]:
        """Return the RFC 9162 consistency path between two sizes of a log, 0 < first < second."""
        ...

    def prove_entry(self, log: int, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """Return an entry's leaf hash and its RFC 9162 inclusion path in the tree of `size` entries."""
        ...


class ChangeSource(Protocol):
    """What the logs say about the status of their records. It only reads, and only what is published."""

    def changes(self, log: int, *, first: int, end: int) -> Sequence[LoggedChange]:
        """Return the changes that the entries from position `first` to before `end` explain, in their order."""
        ...
