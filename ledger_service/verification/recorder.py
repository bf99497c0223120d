"""Recording one fact: hand it to the ledger thread, wait a bounded time, give a receipt or an acceptance."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger_service.errors import NotSequencedError, OutcomeUnknownError
from ledger_service.proofs.receipt import Opening, Receipt, format_receipt
from ledger_service.proofs.tlog_proof import TlogProof
from ledger_service.records.outcomes import Rejected, Replayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.log.acceptances import AcceptanceSigner
    from ledger_service.log.ledger_thread import LedgerThread
    from ledger_service.log.tickets import Position
    from ledger_service.proofs.types import Origin, RecordId
    from ledger_service.records.intake import Submission
    from ledger_service.records.outcomes import Accepted
    from ledger_service.verification.archive import Archive

_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record in the log, with its receipt. `repeated`: it was recorded before, under the same key."""

    id: RecordId
    repeated: bool
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A record that is durable and not in the log yet, with the signed promise that it will be."""

    id: RecordId
    repeated: bool
    acceptance: bytes = field(repr=False)


class Recorder:
    """Records single facts for any number of threads."""

    __slots__ = ("_acceptance_signer", "_archive", "_bound_s", "_give_up_s", "_ledger")

    def __init__(
        self,
        ledger: LedgerThread,
        archive: Archive,
        *,
        acceptance_signer: Callable[[Origin], AcceptanceSigner],
        bound_s: float,
        give_up_s: float = 60.0,
    ) -> None:
        """Wait `bound_s` for a proof, and `give_up_s` to hear whether the record is durable at all."""
        self._ledger = ledger
        self._archive = archive
        self._acceptance_signer = acceptance_signer
        self._bound_s = bound_s
        self._give_up_s = give_up_s

    def record(self, submission: Submission) -> Recorded | Pending:
        """Make a record durable and, in time, proven.

        Raises OverloadedError, StoppedError or StorageError: nothing was stored; IdempotencyConflictError;
        OutcomeUnknownError: nobody knows, and a repetition under the same idempotency key will tell.
        """
        began = time.monotonic()
        ticket = self._ledger.submit([submission])
        outcomes = ticket.wait_accepted(self._give_up_s)
        if outcomes is None:
            # What was not begun must not be recorded after its writer was refused.
            self._ledger.withdraw(ticket)
            raise OutcomeUnknownError
        (outcome,) = outcomes
        if isinstance(outcome, Rejected):
            raise outcome.error
        deadline = began + self._bound_s
        positions = ticket.wait_published(max(0.0, deadline - time.monotonic()))
        if isinstance(outcome, Replayed):
            return self._repeat(outcome, submission, deadline=deadline)
        position = None if positions is None else positions.get(outcome.record)
        if position is None:
            return self._promise(outcome, submission)
        return Recorded(outcome.id, repeated=False, receipt=_receipt(outcome, submission, position))

    def _repeat(self, outcome: Replayed, submission: Submission, *, deadline: float) -> Recorded | Pending:
        """The same answer as the first time, made again from what is stored.

        Another process may have accepted it, or this one before it was started again: its ticket tells nothing.
        """
        while True:
            try:
                receipt = self._archive.receipt(outcome.id, org_id=submission.target.org_id)
                return Recorded(outcome.id, repeated=True, receipt=receipt)
            except NotSequencedError:
                if time.monotonic() >= deadline:
                    break
            time.sleep(_LOOK_S)
        leaf = self._archive.state(outcome.id).leaf
        signer = self._acceptance_signer(submission.target.origin)
        return Pending(outcome.id, repeated=True, acceptance=signer.sign(leaf, accepted=outcome.accepted))

    def _promise(self, outcome: Accepted, submission: Submission) -> Pending:
        signer = self._acceptance_signer(submission.target.origin)
        note = signer.sign(outcome.leaf, accepted=outcome.accepted)
        return Pending(outcome.id, repeated=False, acceptance=note)


def _receipt(outcome: Accepted, submission: Submission, position: Position) -> bytes:
    opening = outcome.opening
    return format_receipt(
        Receipt(
            outcome.entry,
            submission.kind.schema,
            None if opening is None else Opening(opening.salt, opening.values),
            TlogProof(position.index, position.prove(), position.step.note),
        )
    )
