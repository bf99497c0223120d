"""Finding an organization's own records: filters, pages, and nothing of anybody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from ledger_service.errors import BadRequestError
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.records import search
from ledger_service.records.outcomes import Accepted
from ledger_service.verification import finder
from ledger_service.verification.finder import Finder, FoundPage, Wanted
from ledger_service.verification.stages import STAGES
from tests.support.small_ledger import ORG_ID, SetClock, SmallLedger, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.proofs.types import RecordId

ALL = Wanted(kinds=[PURCHASE.name])


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger with one log, nothing sequenced, and a clock that stands still."""
    url = None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with small_ledger(tmp_path, url=url, clock=SetClock()) as opened:
        yield opened


def record(ledger: SmallLedger, *numbers: str) -> list[RecordId]:
    """Accept purchases of these order numbers, a second apart, and return their ids, newest first."""
    assert isinstance(ledger.clock, SetClock)
    ids = []
    for number in numbers:
        ledger.clock.move(1)
        (made,) = ledger.intake.accept([ledger.submission(order_number=number)])
        assert isinstance(made, Accepted)
        ids.append(made.id)
    return ids[::-1]


def find(
    ledger: SmallLedger,
    wanted: Wanted = ALL,
    *,
    org_id: int = ORG_ID,
    cursor: str | None = None,
    limit: int = 100,
) -> FoundPage:
    """One page."""
    return Finder(ledger.database, ledger.keyring).find(wanted, org_id=org_id, cursor=cursor, limit=limit)


def ids_of(page: FoundPage) -> list[str]:
    """The ids in a page."""
    return [each.id for each in page.records]


def test_pages_join_without_gap_or_double_while_records_are_added(ledger: SmallLedger) -> None:
    """Whatever is added between two pages, walking them gives each record of the first moment once, in order."""
    ids = record(ledger, *(f"n{number}" for number in range(7)))
    found: list[str] = []
    cursor = None
    for added in ("later-1", "later-2", "later-3", "later-4"):
        page = find(ledger, cursor=cursor, limit=2)
        found += ids_of(page)
        cursor = page.cursor
        record(ledger, added)
    assert found == ids
    assert cursor is None


def test_an_exact_last_page_has_no_cursor(ledger: SmallLedger) -> None:
    """Where the limit meets the end, nobody is sent to an empty page."""
    ids = record(ledger, "a", "b")
    assert (ids_of(find(ledger, limit=2)), find(ledger, limit=2).cursor) == (ids, None)


def test_a_reference_is_found_in_every_span(ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer's own number finds exactly its records, newest first, however far apart they lie."""
    ids = record(ledger, "same", "other", "same", "same")
    same = [ids[0], ids[1], ids[3]]
    wanted = Wanted(kinds=[PURCHASE.name], reference="same")
    with ledger.database.write("records.keys") as conn:
        conn.execute(text("UPDATE records SET id = id + 100000, reference_span = 6 WHERE id = 4"))
        conn.execute(text("UPDATE outbox SET record = record + 100000 WHERE record = 4"))
        conn.execute(text("UPDATE record_counter SET last = 100005"))
    moved = [ids[1], ids[0], ids[3]]
    for spans in (1, 3, 512):
        monkeypatch.setattr(search, "_SPANS", spans)
        assert ids_of(find(ledger, wanted)) == moved
        first = find(ledger, wanted, limit=1)
        assert ids_of(first) + ids_of(find(ledger, wanted, cursor=first.cursor)) == moved
    assert sorted(moved) == sorted(same)
    assert find(ledger, Wanted(kinds=[PURCHASE.name], reference="nothing")).records == ()


def test_stages_and_times_filter(ledger: SmallLedger) -> None:
    """A stage gives what has come just so far, a span of time what was accepted in it, its end left out."""
    early = record(ledger, "a", "b")
    ledger.sequencer.sequence(ledger.log.id)
    late = record(ledger, "c")
    named = {stage: ids_of(find(ledger, Wanted(ALL.kinds, stage=stage))) for stage in STAGES}
    assert named == {"accepted": late, "sequenced": [], "published": early, "anchored": [], "final": []}
    middle = find(ledger).records[1].accepted
    one_second = Wanted(ALL.kinds, since=middle, until=middle + timedelta(seconds=1))
    assert ids_of(find(ledger, one_second)) == early[:1]
    assert [each.index for each in find(ledger).records] == [None, 2, 1]
    assert ids_of(find(ledger, Wanted(ALL.kinds, status="revoked"))) == []


def test_a_page_examines_a_bounded_number(ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that nothing fits costs one page a bounded look, and the cursor goes on where it stopped."""
    ids = record(ledger, *(f"n{number}" for number in range(5)))
    monkeypatch.setattr(finder, "MOST_EXAMINED", 2)
    nothing = Wanted(ALL.kinds, status="revoked")
    page = find(ledger, nothing)
    assert (page.records, page.cursor) == ((), ids[1])
    assert find(ledger, nothing, cursor=ids[3]).cursor is None


def test_another_organization_finds_nothing_and_has_no_cursor(ledger: SmallLedger) -> None:
    """Others' records are in no page, and their ids are as good a cursor as nonsense."""
    ids = record(ledger, "mine")
    rival = ORG_ID + 1
    assert find(ledger, org_id=rival) == FoundPage((), None)
    assert find(ledger, Wanted(ALL.kinds, reference="mine"), org_id=rival) == FoundPage((), None)
    refusals = set()
    for cursor in (ids[0], "A" * 22, "", "not a cursor", "é", encode_base64url(b"x" * 400)):
        with pytest.raises(BadRequestError) as refused:
            find(ledger, org_id=rival, cursor=cursor)
        refusals.add((refused.value.text, str(refused.value.details)))
    assert len(refusals) == 1
