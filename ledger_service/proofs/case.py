"""What one verification is asked, and what its steps have found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ledger_service.proofs.status import ACTIVE

if TYPE_CHECKING:
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.chain_view import ChainView
    from ledger_service.proofs.checkpoint import Checkpoint
    from ledger_service.proofs.entry import Entry, Pointer
    from ledger_service.proofs.evidence import Evidence
    from ledger_service.proofs.policy import Policy
    from ledger_service.proofs.trust import Trust, TrustedLog
    from ledger_service.proofs.verdict import Interval


@dataclass(frozen=True, slots=True)
class Question:
    """What the verifier believes beforehand and asks about; times are aware UTC of whole seconds."""

    policy: Policy
    trust: Trust
    now: datetime
    at: datetime
    known_at: datetime
    chain_view: ChainView | None
    file_digest: bytes | None

    @property
    def tolerance(self) -> timedelta:
        """How far the operator's clock may stray from the chain's and from ours."""
        return timedelta(seconds=self.trust.accepted_tolerance_s)


@dataclass(slots=True)
class Case:
    """The parsed evidence, and what the steps have established about it in order.

    `shown` holds the disclosed private fields that the record has, `disclosed` the names that were disclosed.
    """

    question: Question
    evidence: Evidence
    entry: Entry
    checkpoint: Checkpoint
    pointer: Pointer
    trusted: TrustedLog | None
    required: set[int]
    shown: dict[str, JsonValue] = field(default_factory=dict)
    disclosed: frozenset[str] = frozenset()
    interval: Interval | None = None
    state: str = ACTIVE
    expired: bool = False
    not_proven: list[str] = field(default_factory=list)
