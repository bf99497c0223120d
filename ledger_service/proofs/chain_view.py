"""What the verifier asks of a chain: the kernel has neither Keccak nor network, `chain/observer.py` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.note import Note, VerifierKey
    from ledger_service.proofs.trust import TrustedAnchor

GRADE_NODE: Final = "proven by a node now"
GRADE_PINNED: Final = "proven to a block hash you pinned"
GRADE_STATED: Final = "stated only"


@dataclass(frozen=True, slots=True)
class AnchorFinding:
    """An anchor that the chain holds: `upper` is the time of its head, `lower` that of the head before it."""

    grade: str
    lower: datetime | None
    upper: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """The state that the contract holds for a record, since a block's time; `detail` names the block."""

    state: str
    since: datetime
    detail: str


class ChainView(Protocol):
    """One way to look at pinned chains. Methods raise CouldNotCheckError when the chain is out of reach."""

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
        """Return how the chain bears out every member of `anchor`; raises AnchorError when it does not."""

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:
        """Return the contract's state of the record; a record without one is active since its anchor.

        Raises AnchorError when the contract speaks of another record at this place.
        """

    def check_eip712_line(self, note: Note, key: VerifierKey) -> None:
        """Return when `key` made the checkpoint's EIP-712 line; raises SignatureError."""
