"""Accepting: one transaction, each writer its own outcome, and nothing twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import delete, func, select

from ledger_service.errors import (
    IdempotencyConflictError,
    KeyUnavailableError,
    MalformedError,
    StorageFatalError,
)
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.records.bulk import BulkChunk, prepare_chunk, subjects_of
from ledger_service.records.intake import Submission
from ledger_service.records.kinds import ParsedRecord
from ledger_service.records.outcomes import Accepted, Rejected, Replayed
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.records.tables import idempotency_keys, outbox, record_salts, records, sealed_payloads
from ledger_service.storage import failpoints
from ledger_service.vault.tables import vault_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

    from tests.support.small_ledger import SmallLedger

OPENING = 1  # the log's opening entry is a record as well


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def count(ledger: SmallLedger, table: Table) -> int:
    """The rows of a table."""
    with ledger.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def accepted(outcome: object) -> Accepted:
    """The outcome, which must be a new record."""
    assert isinstance(outcome, Accepted)
    return outcome


def test_batch_is_stored_whole(ledger: SmallLedger) -> None:
    """Each new record has a row, a salt, a sealed payload, its key and its entry in the outbox."""
    outcomes = [
        accepted(each) for each in ledger.intake.accept([ledger.submission(f"k{i}") for i in range(5)])
    ]
    assert [each.record for each in outcomes] == [2, 3, 4, 5, 6]
    assert count(ledger, records) == 5 + OPENING
    assert count(ledger, outbox) == 5 + OPENING
    assert [count(ledger, table) for table in (record_salts, sealed_payloads, idempotency_keys)] == [5, 5, 5]
    for each in outcomes:
        assert each.leaf == leaf_hash(each.entry)
        assert parse_entry(each.entry).claim.id == each.id
        assert each.opening is not None
        assert each.opening.values == EXAMPLE_PURCHASE


def test_same_key_and_body_is_replayed(ledger: SmallLedger) -> None:
    """Repeating a write gives the record it made, also when its fields come in another order."""
    (first,) = ledger.intake.accept([ledger.submission("key")])
    turned = PURCHASE.parse(dict(reversed(EXAMPLE_PURCHASE.items())), ledger.clock.now())
    again = Submission(ledger.log.target, PURCHASE, turned, IdempotencyKey("key"))
    (second,) = ledger.intake.accept([again])
    made = accepted(first)
    assert second == Replayed(made.record, made.id, made.log_id, made.accepted)
    assert count(ledger, records) == 1 + OPENING


def test_same_key_and_another_body_is_rejected(ledger: SmallLedger) -> None:
    """A key that was used for another body is refused, and the record made then is untouched."""
    ledger.intake.accept([ledger.submission("key")])
    (outcome,) = ledger.intake.accept([ledger.submission("key", channel="store")])
    assert isinstance(outcome, Rejected)
    assert isinstance(outcome.error, IdempotencyConflictError)
    assert count(ledger, records) == 1 + OPENING


def test_twins_in_one_batch(ledger: SmallLedger) -> None:
    """Of two equal writes in one batch one is made and the other replayed; an unequal third is rejected."""
    batch = [
        ledger.submission("a"),
        ledger.submission("a"),
        ledger.submission("a", channel="x"),
        ledger.submission("b"),
    ]
    one, two, three, four = ledger.intake.accept(batch)
    assert accepted(four).record == accepted(one).record + 1
    assert isinstance(two, Replayed)
    assert two.record == accepted(one).record
    assert isinstance(three, Rejected)


def test_keys_belong_to_an_organization(ledger: SmallLedger) -> None:
    """The same key of another organization is another key."""
    mine = ledger.submission("key")
    target = ledger.log.target
    theirs = type(target)(target.log_id, target.origin, target.org_id + 1, "others")
    ledger.intake.accept([mine])
    (outcome,) = ledger.intake.accept([Submission(theirs, PURCHASE, mine.parsed, mine.key)])
    assert isinstance(outcome, Accepted)


def test_lines_of_a_bulk_key_are_apart(ledger: SmallLedger) -> None:
    """One key with different lines makes different records, each replayed by its own line."""
    first = ledger.intake.accept(
        [ledger.submission("bulk", line=i, order_number=f"n{i}") for i in range(1, 4)]
    )
    again = ledger.intake.accept(
        [ledger.submission("bulk", line=i, order_number=f"n{i}") for i in range(1, 5)]
    )
    assert [type(each) for each in again] == [Replayed, Replayed, Replayed, Accepted]
    assert [accepted(each).id for each in first] == [
        each.id for each in again[:3] if isinstance(each, Replayed)
    ]


def test_writes_without_a_key_are_all_made(ledger: SmallLedger) -> None:
    """Without a key the same body makes a record each time."""
    outcomes = ledger.intake.accept([ledger.submission(), ledger.submission()])
    assert len({accepted(each).id for each in outcomes}) == 2


def test_too_large_an_entry_is_rejected_alone(ledger: SmallLedger) -> None:
    """A record that cannot become an entry is rejected with its twin, and the rest of the batch is stored."""
    huge = ParsedRecord(
        private=dict(EXAMPLE_PURCHASE), public={"note": "x" * 70_000}, subject="s", reference=None
    )
    bad = Submission(ledger.log.target, PURCHASE, huge, IdempotencyKey("huge"))
    first, second, third = ledger.intake.accept([bad, bad, ledger.submission("good")])
    for each in (first, second):
        assert isinstance(each, Rejected)
        assert isinstance(each.error, MalformedError)
    assert isinstance(third, Accepted)


def test_prepared_record_of_an_erased_subject_is_rejected(ledger: SmallLedger) -> None:
    """A record that was prepared under a key which is gone by the time it arrives is not accepted."""
    lines = [orjson.dumps(EXAMPLE_PURCHASE)]
    with ledger.database.write("records.keys") as conn:
        writer, org, keys = ledger.intake.writer_keys(conn, ledger.log.target, subjects_of(PURCHASE, lines))
    rows: Any = prepare_chunk(
        BulkChunk(ledger.log.target, PURCHASE, lines, 1, "k", ledger.clock.now(), writer, org, keys)
    )
    with ledger.database.write("records.keys") as conn:
        conn.execute(delete(vault_keys).where(vault_keys.c.scope == "subject"))
    (outcome,) = ledger.intake.accept(rows)
    assert isinstance(outcome, Rejected)
    assert isinstance(outcome.error, KeyUnavailableError)


def test_fault_before_the_commit_leaves_nothing(ledger: SmallLedger) -> None:
    """An error inside the transaction stores nothing, and the same write succeeds afterwards."""
    broken = ParsedRecord(private=dict(EXAMPLE_PURCHASE), public={}, subject="\ud800", reference=None)
    with pytest.raises(UnicodeEncodeError):
        ledger.intake.accept([ledger.submission("a"), Submission(ledger.log.target, PURCHASE, broken)])
    assert count(ledger, records) == OPENING
    assert isinstance(ledger.intake.accept([ledger.submission("a")])[0], Accepted)


@pytest.mark.parametrize(("action", "stored"), [("fail", 0), ("fail-done", 1)])
def test_commit_of_unknown_outcome_stops_writing(
    sqlite_ledger: SmallLedger, action: str, stored: int
) -> None:
    """A commit that reports an error is fatal, done or not, and what is true can still be read."""
    failpoints.arm(f"records.accept={action}")
    with pytest.raises(StorageFatalError):
        sqlite_ledger.intake.accept([sqlite_ledger.submission("a")])
    with pytest.raises(StorageFatalError):
        sqlite_ledger.intake.accept([sqlite_ledger.submission("b")])
    assert count(sqlite_ledger, records) == stored + OPENING


def test_one_key_used_at_once_makes_one_record(ledger: SmallLedger) -> None:
    """Of many threads that use one key at the same moment one makes the record and the others get it."""
    outcomes: list[object] = []
    ready = threading.Barrier(8)

    def write() -> None:
        ready.wait()
        outcomes.extend(ledger.intake.accept([ledger.submission("same")]))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(each).__name__ for each in outcomes) == ["Accepted"] + ["Replayed"] * 7
    assert count(ledger, records) == 1 + OPENING
