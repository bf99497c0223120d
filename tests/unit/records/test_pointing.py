"""Records that point at earlier ones: what is held against what, and what two of them make of one record."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, select

from ledger_service.credentials.completions import COMPLETION, EXAMPLE_COMPLETION
from ledger_service.errors import (
    IdempotencyConflictError,
    InvalidPayloadError,
    KeyUnavailableError,
    LedgerError,
    NotSequencedError,
    StateConflictError,
    TargetError,
    UnknownRecordError,
)
from ledger_service.log.tables import log_entries
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.marketplace.refunds import EXAMPLE_REFUND, MOST_REFUNDS, REFUND
from ledger_service.proofs.entry import Claim, parse_entry
from ledger_service.records.corrections import CORRECTION
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Accepted, Rejected, Replayed
from ledger_service.records.preparation import IdempotencyKey, LogTarget
from ledger_service.records.statuses import STATUS
from ledger_service.records.tables import record_pointers, records, status_changes
from ledger_service.vault.tables import vault_keys
from tests.support.small_ledger import SetClock, SmallLedger, open_second_log, small_ledger

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind
    from ledger_service.records.outcomes import Outcome


def submission(
    ledger: SmallLedger, kind: Kind, payload: dict[str, Any], *, key: str | None = None
) -> Submission:
    """A record of any kind in the ledger's log."""
    parsed = kind.parse(payload, ledger.clock.now())
    return Submission(ledger.log.target, kind, parsed, None if key is None else IdempotencyKey(key))


def refund(ledger: SmallLedger, purchase: str, *, key: str | None = None, **changes: Any) -> Submission:
    """A refund of a purchase, of all of it without changes."""
    return submission(ledger, REFUND, {**EXAMPLE_REFUND, "purchase": purchase, **changes}, key=key)


def status(ledger: SmallLedger, record: str, state: str, **changes: Any) -> Submission:
    """A change of status."""
    payload = {"record": record, "state": state, "reason": "under_review", **changes}
    return submission(ledger, STATUS, payload)


def correction(ledger: SmallLedger, purchase: str, key: str | None = None, **changes: Any) -> Submission:
    """A purchase that takes the place of another."""
    said = CORRECTION.parse({"record": purchase, "reason": "entered_in_error"}, ledger.clock.now())
    right = ledger.submission(key, **changes)
    return Submission(right.target, PURCHASE, right.parsed, right.key, explained_by=(CORRECTION, said))


def publish(ledger: SmallLedger, *items: Submission) -> list[Accepted]:
    """Accept and sequence."""
    outcomes = [outcome for outcome in ledger.intake.accept(items) if isinstance(outcome, Accepted)]
    assert len(outcomes) == len(items)
    ledger.sequencer.sequence(ledger.log.id)
    return outcomes


def errors_of(outcomes: list[Outcome]) -> list[type[LedgerError] | None]:
    """Why each was refused, None for those that were not."""
    return [type(each.error) if isinstance(each, Rejected) else None for each in outcomes]


def claim_of(outcome: Outcome) -> Claim:
    """The claim of a new record."""
    assert isinstance(outcome, Accepted)
    return parse_entry(outcome.entry).claim


def changes_in(ledger: SmallLedger) -> list[tuple[int, str, str]]:
    """Every stored change: record, state, reason."""
    with ledger.database.read() as conn:
        return [(row.record, row.state, row.reason) for row in conn.execute(select(status_changes))]


def count(ledger: SmallLedger) -> int:
    """How many records there are."""
    with ledger.database.read() as conn:
        return conn.execute(select(func.count()).select_from(records)).scalar_one()


def test_a_refund_points_at_its_purchase(ledger: SmallLedger) -> None:
    """Its entry names log, index and leaf of the purchase; reason and extent are public, the amount is not."""
    (bought,) = publish(ledger, ledger.submission())
    (refunded,) = publish(ledger, refund(ledger, bought.id))
    claim = claim_of(refunded)
    assert claim.target is not None
    assert (claim.target.log, claim.target.index, claim.target.leaf) == (ledger.log.origin, 1, bought.leaf)
    assert claim.public == {"extent": "full", "reason": "returned"}
    assert b"4500" not in refunded.entry
    assert changes_in(ledger) == [(bought.record, "refunded", "returned")]
    with ledger.database.read() as conn:
        keys = conn.execute(
            select(records.c.key_id).where(records.c.id.in_([bought.record, refunded.record]))
        )
        assert len({*keys.scalars()}) == 1
        assert conn.execute(select(record_pointers.c.target)).scalar_one() == bought.record


def test_parts_add_up_to_the_whole(ledger: SmallLedger) -> None:
    """Parts are taken until the amount is reached, in one batch or in several; the last one refunds the purchase."""
    (bought,) = publish(ledger, ledger.submission())
    part = refund(ledger, bought.id, amount_minor=2000)
    first, second, third = ledger.intake.accept([part, part, part])
    assert errors_of([first, second, third]) == [None, None, InvalidPayloadError]
    assert claim_of(second).public["extent"] == "partial"
    assert changes_in(ledger) == []
    assert errors_of(ledger.intake.accept([refund(ledger, bought.id, amount_minor=501)])) == [
        InvalidPayloadError
    ]
    (last,) = ledger.intake.accept([refund(ledger, bought.id, amount_minor=500)])
    assert claim_of(last).public["extent"] == "full"
    assert changes_in(ledger) == [(bought.record, "refunded", "returned")]


def test_a_refund_is_in_the_currency_of_its_purchase(sqlite_ledger: SmallLedger) -> None:
    """Amounts of two currencies are never compared."""
    (bought,) = publish(sqlite_ledger, sqlite_ledger.submission())
    assert errors_of(sqlite_ledger.intake.accept([refund(sqlite_ledger, bought.id, currency="JPY")])) == [
        InvalidPayloadError
    ]


def test_refunds_of_one_purchase_are_bounded(sqlite_ledger: SmallLedger) -> None:
    """Each refund opens those before it, so their number is bounded."""
    (bought,) = publish(sqlite_ledger, sqlite_ledger.submission())
    part = refund(sqlite_ledger, bought.id, amount_minor=1)
    outcomes = sqlite_ledger.intake.accept([part] * (MOST_REFUNDS + 1))
    assert errors_of(outcomes)[-2:] == [None, StateConflictError]


def test_what_can_be_pointed_at(ledger: SmallLedger) -> None:
    """Only published records of the same organization and log, of a kind that has the change."""
    (waiting,) = ledger.intake.accept([ledger.submission()])
    assert isinstance(waiting, Accepted)
    assert errors_of(ledger.intake.accept([refund(ledger, waiting.id)])) == [NotSequencedError]
    ledger.sequencer.sequence(ledger.log.id)
    with ledger.database.read() as conn:
        opening = parse_entry(conn.execute(select(log_entries.c.entry).limit(1)).scalar_one()).claim.id
    nobody = "A" * 22
    right = refund(ledger, waiting.id)
    other_log = open_second_log(ledger).target
    other_org = LogTarget(ledger.log.id, ledger.log.origin, 2, "rival")
    outcomes = ledger.intake.accept(
        [
            refund(ledger, nobody),
            refund(ledger, opening),
            Submission(other_log, REFUND, right.parsed),
            Submission(other_org, REFUND, right.parsed),
            status(ledger, waiting.id, "revoked"),
            right,
        ]
    )
    wrong = [UnknownRecordError, TargetError, TargetError, UnknownRecordError, TargetError]
    assert errors_of(outcomes) == [*wrong, None]
    assert errors_of(ledger.intake.accept([refund(ledger, claim_of(outcomes[-1]).id)])) == [NotSequencedError]
    ledger.sequencer.sequence(ledger.log.id)
    assert errors_of(ledger.intake.accept([refund(ledger, claim_of(outcomes[-1]).id)])) == [TargetError]


def test_a_repeated_refund_is_the_same_refund(ledger: SmallLedger) -> None:
    """The same key and body is replayed although the purchase is refunded by then; another body is a conflict."""
    (bought, other) = publish(ledger, ledger.submission(), ledger.submission())
    (made,) = publish(ledger, refund(ledger, bought.id, key="k"))
    again, elsewhere, without = ledger.intake.accept(
        [refund(ledger, bought.id, key="k"), refund(ledger, other.id, key="k"), refund(ledger, bought.id)]
    )
    assert isinstance(again, Replayed)
    assert again.record == made.record
    assert errors_of([elsewhere, without]) == [IdempotencyConflictError, StateConflictError]


def test_a_status_takes_the_steps_of_its_kind(ledger: SmallLedger) -> None:
    """A completion is suspended, reinstated and revoked; after that nothing, and nothing twice."""
    (passed,) = publish(ledger, submission(ledger, COMPLETION, EXAMPLE_COMPLETION))
    steps = ["suspended", "suspended", "active", "active", "withdrawn", "suspended", "revoked", "active"]
    outcomes = ledger.intake.accept([status(ledger, passed.id, state) for state in steps])
    no, never = StateConflictError, TargetError
    assert errors_of(outcomes) == [None, no, None, no, never, None, None, no]
    assert [state for _, state, _ in changes_in(ledger)] == ["suspended", "active", "suspended", "revoked"]
    assert claim_of(outcomes[0]).commitment is None


def test_a_status_is_in_force_within_the_record_s_life(sqlite_ledger: SmallLedger) -> None:
    """`since` lies between the record's acceptance and now."""
    assert isinstance(sqlite_ledger.clock, SetClock)
    (passed,) = publish(sqlite_ledger, submission(sqlite_ledger, COMPLETION, EXAMPLE_COMPLETION))
    sqlite_ledger.clock.move(60)
    moments = ["2026-11-22T11:59:59Z", "2026-11-22T12:01:01Z", "2026-11-22T12:00:00Z"]
    outcomes = sqlite_ledger.intake.accept(
        [status(sqlite_ledger, passed.id, "suspended", since=since) for since in moments]
    )
    assert errors_of(outcomes) == [InvalidPayloadError, InvalidPayloadError, None]


def test_a_correction_links_old_and_new(ledger: SmallLedger) -> None:
    """Correction and replacement are accepted together, one after the other; the old record is superseded."""
    (wrong,) = publish(ledger, ledger.submission())
    (right,) = publish(ledger, correction(ledger, wrong.id, key="c", buyer="customer-2"))
    with ledger.database.read() as conn:
        entries = conn.execute(select(log_entries.c.entry).order_by(log_entries.c.idx)).scalars().all()
    explained, replacing = (parse_entry(entry).claim for entry in entries[-2:])
    assert (explained.kind, replacing.id) == ("correction/v1", right.id)
    assert explained.target == replacing.previous
    assert explained.target is not None
    assert explained.target.leaf == wrong.leaf
    assert changes_in(ledger) == [(wrong.record, "superseded", "entered_in_error")]
    (again,) = ledger.intake.accept([correction(ledger, wrong.id, key="c", buyer="customer-2")])
    assert isinstance(again, Replayed)
    assert again.record == right.record
    assert errors_of(ledger.intake.accept([correction(ledger, wrong.id), refund(ledger, wrong.id)])) == [
        StateConflictError,
        StateConflictError,
    ]


def test_a_refused_correction_leaves_nothing(ledger: SmallLedger) -> None:
    """If one of its two entries cannot be, neither is; a purchase with refunds keeps the amount they refer to."""
    bought, passed = publish(ledger, ledger.submission(), submission(ledger, COMPLETION, EXAMPLE_COMPLETION))
    publish(ledger, refund(ledger, bought.id, amount_minor=1))
    before = count(ledger)
    outcomes = ledger.intake.accept([correction(ledger, bought.id), correction(ledger, passed.id)])
    assert errors_of(outcomes) == [StateConflictError, TargetError]
    assert (count(ledger), changes_in(ledger)) == (before, [])


def test_a_refund_of_an_erased_buyer_is_refused(sqlite_ledger: SmallLedger) -> None:
    """Without the purchase's key nothing can be held against it, so nothing is accepted."""
    (bought,) = publish(sqlite_ledger, sqlite_ledger.submission())
    with sqlite_ledger.database.write("records.keys") as conn:
        conn.execute(delete(vault_keys).where(vault_keys.c.scope == "subject"))
    assert errors_of(sqlite_ledger.intake.accept([refund(sqlite_ledger, bought.id)])) == [KeyUnavailableError]


def test_one_batch_passes_a_final_state_once(ledger: SmallLedger) -> None:
    """Of many changes for one record in one batch the first counts, the others meet what it has made."""
    (bought,) = publish(ledger, ledger.submission())
    outcomes = ledger.intake.accept([refund(ledger, bought.id)] * 5 + [correction(ledger, bought.id)])
    assert errors_of(outcomes) == [None, *[StateConflictError] * 5]


def test_threads_pass_a_final_state_once(ledger: SmallLedger) -> None:
    """Of many threads that change one record at once exactly one succeeds."""
    (bought,) = publish(ledger, ledger.submission())
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.extend(ledger.intake.accept([refund(ledger, bought.id)])))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, errors_of(outcomes))) == sorted(["None", *[str(StateConflictError)] * 7])


def race(directory: str, url: str | None, purchases: list[str]) -> list[str | None]:
    """In a process of its own: refund each of these purchases; why each was refused."""
    with small_ledger(Path(directory), url=url) as ledger:
        errors = [errors_of(ledger.intake.accept([refund(ledger, each)])) for each in purchases]
        return [None if error is None else error.code for (error,) in errors]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_processes_pass_a_final_state_once(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Of several processes that refund the same purchases at once exactly one succeeds with each."""
    url = None if engine == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with small_ledger(tmp_path, url=url) as ledger:
        bought = [each.id for each in publish(ledger, *[ledger.submission() for _ in range(20)])]
        with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
            said = list(pool.map(race, [str(tmp_path)] * 3, [url] * 3, [bought] * 3))
        for answers in zip(*said, strict=True):
            assert sorted(map(str, answers)) == ["None", "state_conflict", "state_conflict"]
        assert len(changes_in(ledger)) == len(bought)
