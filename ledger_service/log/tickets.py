"""What a writer holds while its records are on their way."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.errors import LedgerError
    from ledger_service.log.sequencer import Sequenced
    from ledger_service.proofs.types import LeafIndex
    from ledger_service.records.intake import Submission
    from ledger_service.records.outcomes import Outcome
    from ledger_service.records.preparation import Prepared


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands, and the step of the sequencer that put it there."""

    index: LeafIndex
    step: Sequenced

    def prove(self) -> tuple[bytes, ...]:
        """The inclusion proof in the checkpoint of that step."""
        return self.step.prove(self.index)


class Ticket:
    """One write on its way: first accepted, then published. Any thread may wait for either."""

    __slots__ = ("_accepted", "_all", "_error", "_outcomes", "_positions", "_published", "_waiting", "items")

    def __init__(self, items: Sequence[Submission | Prepared]) -> None:
        """Hold what is to be written, together or not at all."""
        self.items = items
        self._accepted = threading.Event()
        self._published = threading.Event()
        self._outcomes: list[Outcome] = []
        self._positions: dict[int, Position] = {}
        self._waiting = 0
        self._all = False
        self._error: LedgerError | None = None

    def wait_accepted(self, timeout_s: float | None = None) -> list[Outcome] | None:
        """What became of each item, or None when that is not known in time.

        Raises the error that kept this write, and no other, from being accepted.
        """
        if not self._accepted.wait(timeout_s):
            return None
        if self._error is not None:
            raise self._error
        return self._outcomes

    def wait_published(self, timeout_s: float | None = None) -> dict[int, Position] | None:
        """Where each new record stands, by its number, or None when not all are published in time.

        Records that the write did not make are not listed. Raises as `wait_accepted` does. A write that
        was accepted never fails any more: it is published, here or after the next start.
        """
        if not self._published.wait(timeout_s):
            return None
        if self._error is not None:
            raise self._error
        return self._positions if self._all else None

    def accept(self, outcomes: list[Outcome], *, waiting: int) -> None:
        """For the ledger thread: the items are durable, and `waiting` of them have no index yet."""
        self._outcomes = outcomes
        self._waiting = waiting
        self._accepted.set()
        if not waiting:
            self._all = True
            self._published.set()

    def publish(self, record: int, position: Position) -> None:
        """For the ledger thread: one of the records stands in a signed checkpoint."""
        self._positions[record] = position
        self._waiting -= 1
        if not self._waiting:
            self._all = True
            self._published.set()

    def abandon(self) -> None:
        """For the ledger thread: it ends, and the records that are not published yet will be by another."""
        self._published.set()

    def fail(self, error: LedgerError) -> None:
        """For the ledger thread: nothing was accepted, or nobody knows."""
        self._error = error
        self._accepted.set()
        self._published.set()
