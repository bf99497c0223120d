"""Ledger threads that run for one test, and the answers that their writers get."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger_service.log.ledger_thread import LedgerThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.errors import LedgerError
    from ledger_service.log.tickets import Ticket
    from tests.support.small_ledger import SmallLedger

WAIT_S = 30.0


@contextmanager
def running(ledger: SmallLedger, **options: Any) -> Iterator[tuple[LedgerThread, list[LedgerError]]]:
    """A ledger thread, and the alarms that it raised."""
    alarms: list[LedgerError] = []
    asked: dict[str, Any] = {"heartbeat_s": 600, "alarm": alarms.append}
    thread = LedgerThread(ledger.intake, ledger.sequencer, **(asked | options))
    thread.start()
    try:
        yield thread, alarms
    finally:
        thread.stop()


def published(ticket: Ticket) -> list[int]:
    """The indexes that a write's records got, within a time that no test needs."""
    positions = ticket.wait_published(WAIT_S)
    assert positions is not None
    return [int(each.index) for each in positions.values()]
