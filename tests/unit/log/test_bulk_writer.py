"""Bulk requests: a result for each line, in order, whatever happens to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from ledger_service.errors import InvalidPayloadError, StoppedError
from ledger_service.log.bulk_writer import BulkRequest, BulkWriter, LineResult
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.records.bulk import BulkPreparer
from ledger_service.records.outcomes import Accepted, Rejected, Replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.small_ledger import SmallLedger


@pytest.fixture
def thread(ledger: SmallLedger) -> Iterator[LedgerThread]:
    """A running ledger thread that may hold fewer records than the requests have."""
    thread = LedgerThread(ledger.intake, ledger.sequencer, heartbeat_s=600, alarm=lambda _: None, capacity=15)
    thread.start()
    yield thread
    thread.stop()


def lines(count: int, *, bad: Iterable[int] = ()) -> Iterator[bytes]:
    """Purchases, each with its own order number; lines in `bad` are broken."""
    for number in range(1, count + 1):
        yield b"{" if number in bad else orjson.dumps(EXAMPLE_PURCHASE | {"order_number": f"n{number}"})


def write(
    ledger: SmallLedger,
    thread: LedgerThread,
    request: Iterable[bytes],
    *,
    key: str | None = "bulk",
    workers: int = 0,
) -> list[LineResult]:
    """The results of one request, in chunks of ten lines."""
    with BulkPreparer(workers=workers) as preparer:
        writer = BulkWriter(
            ledger.database, ledger.intake, thread, preparer, clock=ledger.clock, bound_s=30, chunk_lines=10
        )
        return list(writer.write(BulkRequest(ledger.log.target, PURCHASE, key, request)))


@pytest.mark.parametrize("workers", [0, 2])
def test_every_line_has_its_result(ledger: SmallLedger, thread: LedgerThread, workers: int) -> None:
    """Results come in the order of the lines; good lines are published, bad ones say why they are not."""
    results = write(ledger, thread, lines(47, bad=(1, 20, 47)), workers=workers)
    assert [result.line for result in results] == list(range(1, 48))
    for result in results:
        if result.line in {1, 20, 47}:
            assert isinstance(result.outcome, Rejected)
            assert isinstance(result.outcome.error, InvalidPayloadError)
            assert result.position is None
        else:
            assert isinstance(result.outcome, Accepted)
            assert result.position is not None
    indexes = [int(result.position.index) for result in results if result.position]
    assert indexes == list(range(1, 45))


def test_request_can_be_sent_again(ledger: SmallLedger, thread: LedgerThread) -> None:
    """Sent again under the same key, recorded lines are replayed and only the others are made."""
    first = write(ledger, thread, lines(25))
    again = write(ledger, thread, lines(30))
    assert [type(result.outcome) for result in again] == [Replayed] * 25 + [Accepted] * 5
    for one, two in zip(first, again, strict=False):
        assert isinstance(one.outcome, Accepted)
        assert isinstance(two.outcome, Replayed)
        assert one.outcome.id == two.outcome.id


def test_changed_line_is_rejected_alone(ledger: SmallLedger, thread: LedgerThread) -> None:
    """A line that says something else than before is rejected, and the others are replayed."""
    write(ledger, thread, lines(5))
    changed = [*list(lines(4)), orjson.dumps(EXAMPLE_PURCHASE)]
    assert [type(r.outcome).__name__ for r in write(ledger, thread, changed)] == ["Replayed"] * 4 + [
        "Rejected"
    ]


def test_empty_request(ledger: SmallLedger, thread: LedgerThread) -> None:
    """A request without lines has no results."""
    assert write(ledger, thread, []) == []
    assert write(ledger, thread, lines(1), key=None)[0].position is not None


def test_stopped_ledger_ends_the_request(ledger: SmallLedger, thread: LedgerThread) -> None:
    """When the ledger has stopped, the request ends with that error instead of results."""
    thread.stop()
    with pytest.raises(StoppedError):
        write(ledger, thread, lines(3))
