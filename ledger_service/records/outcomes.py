"""What became of a write: accepted, the same as before, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.errors import LedgerError
    from ledger_service.proofs.types import LeafHash, RecordId
    from ledger_service.records.preparation import Opening


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new, durable record. `record` is its number here, `opening` what its writer gets to keep."""

    record: int
    id: RecordId
    log_id: int
    accepted: datetime
    leaf: LeafHash
    entry: bytes = field(repr=False)
    opening: Opening | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The record that the same key and the same body made before."""

    record: int
    id: RecordId
    log_id: int
    accepted: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was stored, for this reason."""

    error: LedgerError


@dataclass(frozen=True, slots=True)
class Acceptable:
    """Nothing was stored because nobody asked for it: the record would be accepted."""


Outcome: TypeAlias = Accepted | Replayed | Rejected
