"""What the chain side reads from the logs. The sequencer knows nothing of the chain: the anchorer polls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.proofs.note import VerifierKey


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log's newest published checkpoint, and the kind of contract that its heads belong into."""

    log: int
    origin: str
    contract_kind: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A published checkpoint: the signed note and the key of its line 3."""

    head: LogHead
    note: bytes
    head_key: VerifierKey


class ProofSource(Protocol):
    """The logs as the anchorer needs them. It only reads, and only what is published and durable.

    Between two calls a log may grow; it never shrinks. Raises the log package's errors for a damaged log.
    """

    def heads(self) -> Sequence[LogHead]:
        """Return the newest checkpoint of every log that has one."""
        ...

    def signed(self, log: int) -> SignedCheckpoint:
        """Return a log's newest checkpoint with its note."""
        ...

    def root_at(self, log: int, size: int) -> bytes:
        """Return the root of a log's first `size` entries, at most as many as it has."""
        ...

    def prove_consistency(self, log: int, first: int, second: int) -> Sequence[bytes]:
        """Return the RFC 9162 consistency path between two sizes of a log, 0 < first < second."""
        ...
