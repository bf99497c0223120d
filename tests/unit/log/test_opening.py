"""Opening a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import LogExistsError, UnknownKindError, UnknownLogError
from ledger_service.log.directory import all_logs, find_collection, find_log, log_of_number
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.opening import LogOpening, parse_opening
from tests.support.small_ledger import ORG_ID, ORIGIN, open_second_log

if TYPE_CHECKING:
    from tests.support.small_ledger import SmallLedger


def test_entry_zero_is_the_opening(ledger: SmallLedger) -> None:
    """The first entry fixes origin, organization, kinds and keys, and the log is kept as it says."""
    ledger.sequencer.sequence(ledger.log.id)
    with ledger.reader.view(ORIGIN) as view:
        opening = parse_opening(parse_entry(view.entry(0)))
    log = ledger.log
    assert opening == LogOpening(log.origin, log.org, log.kinds, log.vkeys)
    with ledger.database.read() as conn:
        assert find_log(conn, ORIGIN) == log_of_number(conn, log.id) == all_logs(conn)[0] == log


def test_origin_is_taken_once(ledger: SmallLedger) -> None:
    """A second log of the same origin is refused and leaves nothing behind."""
    with pytest.raises(LogExistsError):
        open_second_log(ledger, ORIGIN)
    assert [log.origin for log in ledger.reader.logs()] == [ORIGIN]
    step = ledger.sequencer.sequence(ledger.log.id)
    assert step is not None
    assert step.size == 1


def test_newest_log_of_a_collection_is_found(ledger: SmallLedger) -> None:
    """A collection's newest log is the one that takes records."""
    open_second_log(ledger)
    with ledger.database.read() as conn:
        assert find_collection(conn, ORG_ID, "purchases").origin == "ledger.test/logs/shop/purchases-2"
        with pytest.raises(UnknownLogError):
            find_collection(conn, ORG_ID + 1, "purchases")
        with pytest.raises(UnknownLogError):
            find_log(conn, "ledger.test/logs/other/purchases")
        with pytest.raises(UnknownLogError):
            log_of_number(conn, 99)


def test_log_takes_its_kinds_only(ledger: SmallLedger) -> None:
    """A kind that the log was not opened for is refused."""
    ledger.log.check_kind("purchase/v1")
    with pytest.raises(UnknownKindError):
        ledger.log.check_kind("refund/v1")


def test_logs_grow_apart(ledger: SmallLedger) -> None:
    """Two logs in one database number and sign their entries each for itself."""
    open_second_log(ledger)
    ledger.intake.accept([ledger.submission()])
    assert ledger.sequencer.unfinished() == {1, 2}
    one, two = ledger.sequencer.sequence(1), ledger.sequencer.sequence(2)
    assert one is not None
    assert two is not None
    assert (one.size, one.records, two.size, two.records) == (2, (1, 3), 1, (2,))
