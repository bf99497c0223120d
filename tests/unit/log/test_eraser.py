"""Erasing: nothing of the subject stays, everything else does, and no order of events leaves a trace behind."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from ledger_service.errors import (
    IdempotencyConflictError,
    InjectedFaultError,
    KeyUnavailableError,
    PayloadMissingError,
    StorageFatalError,
    UnknownSubjectError,
)
from ledger_service.log.auditor import audit
from ledger_service.log.eraser import Eraser
from ledger_service.log.tables import log_entries
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.erasure import ERASURE
from ledger_service.records.history import open_record, record_of_number
from ledger_service.records.outcomes import Accepted, Rejected, Replayed
from ledger_service.records.preparation import ERASED_FINGERPRINT, RecordMaker, WriterKeys, encode_values
from ledger_service.records.tables import idempotency_keys, record_salts, records, sealed_payloads
from ledger_service.storage import failpoints
from ledger_service.vault.erasure_register import ErasureRegister
from ledger_service.vault.tables import ERASED, vault_keys
from tests.support.small_ledger import SetClock, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.log.findings import AuditReport
    from tests.support.small_ledger import SmallLedger

ANN = "customer-ann"
BEN = "customer-ben"


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def eraser_of(ledger: SmallLedger) -> Eraser:
    """The eraser of a small ledger, whose register lies beside the database."""
    return Eraser(
        ledger.database,
        ledger.intake,
        ledger.keyring,
        register=ErasureRegister(ledger.directory / "erasures.log"),
        clock=ledger.clock,
        backup_period=timedelta(days=35),
    )


def erase(ledger: SmallLedger, subject: str = ANN, *, key: str = "erase-1") -> Any:
    """Erase a subject at its own request."""
    return eraser_of(ledger).erase(ledger.log.org_id, subject, reason="subject_request", key=key)


def fill(ledger: SmallLedger) -> None:
    """Six records in the log and two that wait, in turn of two customers."""
    for part in (range(6), range(6, 8)):
        batch = [ledger.submission(f"key-{n}", order_number=f"o-{n}", buyer=(ANN, BEN)[n % 2]) for n in part]
        ledger.intake.accept(batch)
        if part.start == 0:
            ledger.sequencer.sequence(ledger.log.id)


def audit_of(ledger: SmallLedger, *, opening: bool = True) -> AuditReport:
    """What the auditor finds."""
    return audit(ledger.database, keyring=ledger.keyring if opening else None, kinds=[PURCHASE, ERASURE])


def open_number(ledger: SmallLedger, number: int) -> dict[str, Any]:
    """The private fields of a record, by its number."""
    with ledger.database.read() as conn:
        entry = conn.execute(select(log_entries.c.entry).where(log_entries.c.record == number)).scalar_one()
        row = record_of_number(conn, number)
        claim = parse_entry(entry).claim
        schema = {each.name: each.schema for each in (PURCHASE, ERASURE)}[claim.kind]
        return dict(open_record(conn, ledger.keyring, row, claim=claim, schema=schema).values)


def numbers_of(ledger: SmallLedger, subject: str) -> list[int]:
    """The numbers of a customer's records: the opening is 1, and the two take turns."""
    assert ledger.log.id
    return [number for number in range(2, 10) if (ANN, BEN)[number % 2] == subject]


def test_contents_are_gone_and_proofs_stay(ledger: SmallLedger) -> None:
    """Of the erased nothing opens, of others everything does, entries stay, and the auditor finds all in order."""
    fill(ledger)
    done = erase(ledger)
    ledger.sequencer.sequence(ledger.log.id)
    assert (done.records, done.reason, done.repeated) == (4, "subject_request", False)
    assert done.unrecoverable - done.erased == timedelta(days=35)
    for number in numbers_of(ledger, ANN):
        with pytest.raises(PayloadMissingError):
            open_number(ledger, number)
    assert {open_number(ledger, number)["buyer"] for number in numbers_of(ledger, BEN)} == {BEN}
    report = audit_of(ledger)
    assert (report.findings, report.looked_at["payloads erased"]) == ([], 4)


def test_the_entry_names_its_targets_to_the_organization_only(ledger: SmallLedger) -> None:
    """The erasure's entry says why in public and nothing else; its sealed targets are the very records."""
    fill(ledger)
    done = erase(ledger)
    ledger.sequencer.sequence(ledger.log.id)
    (pointer,) = done.entries
    with ledger.database.read() as conn:
        stored = conn.execute(select(log_entries).where(log_entries.c.idx == pointer.index)).one()
        leaves = {each.record: (each.idx, each.leaf) for each in conn.execute(select(log_entries))}
    claim = parse_entry(stored.entry).claim
    assert (bytes(stored.leaf), claim.kind, claim.public) == (
        pointer.leaf, "erasure/v1", {"reason": "subject_request"},
    )  # fmt: skip
    assert claim.target is None
    targets = open_number(ledger, stored.record)["targets"]
    assert [each["index"] for each in targets] == [leaves[number][0] for number in numbers_of(ledger, ANN)]
    with ledger.database.read() as conn:
        org = ledger.keyring.existing_org_key(conn, ledger.log.org_id)
        assert record_of_number(conn, stored.record).key_id == org.id


def test_no_row_keeps_a_trace(ledger: SmallLedger) -> None:
    """Key, salts, payloads, fingerprints and references are overwritten; idempotency keys stay."""
    fill(ledger)
    erase(ledger)
    gone = numbers_of(ledger, ANN)
    with ledger.database.read() as conn:
        for column in (record_salts.c.salt, sealed_payloads.c.sealed):
            kept = conn.execute(select(column).where(column.table.c.record.in_(gone))).scalars().all()
            assert len(kept) == len(gone)
            assert not any(any(each) for each in kept)
        rows = conn.execute(select(records).where(records.c.id.in_(gone))).all()
        assert {(row.reference, row.key_id) for row in rows} == {(None, None)}
        tokens = select(idempotency_keys.c.fingerprint).where(idempotency_keys.c.record.in_(gone))
        assert set(map(bytes, conn.execute(tokens).scalars())) == {ERASED_FINGERPRINT}
        (key,) = conn.execute(select(vault_keys).where(vault_keys.c.kek_generation == ERASED)).all()
        assert not any(key.wrapped)
        with pytest.raises(KeyUnavailableError, match="erased"):
            ledger.keyring.key_of(conn, key.id)


def test_a_retry_of_an_erased_write_is_answered(ledger: SmallLedger) -> None:
    """A write that is repeated after the erasure is known by its key, and nothing of its body is stored again."""
    fill(ledger)
    erase(ledger)
    (outcome,) = ledger.intake.accept([ledger.submission("key-0", order_number="o-0", buyer=ANN)])
    assert isinstance(outcome, Replayed)
    with pytest.raises(UnknownSubjectError):
        erase(ledger, key="erase-2")


def test_a_write_afterwards_gets_a_new_key(ledger: SmallLedger) -> None:
    """What is recorded of the person later is kept under a key of its own, and can be erased as well."""
    fill(ledger)
    first = erase(ledger)
    (outcome,) = ledger.intake.accept([ledger.submission("later", order_number="later", buyer=ANN)])
    ledger.sequencer.sequence(ledger.log.id)
    assert isinstance(outcome, Accepted)
    assert open_number(ledger, outcome.record)["order_number"] == "later"
    assert eraser_of(ledger).reapply() == 0
    assert erase(ledger).entries == first.entries
    assert open_number(ledger, outcome.record)["order_number"] == "later"
    assert erase(ledger, key="erase-2").records == 1
    ledger.sequencer.sequence(ledger.log.id)
    assert audit_of(ledger).findings == []


def test_the_same_request_again_changes_nothing(ledger: SmallLedger) -> None:
    """Asked again under its key an erasure answers as before; under that key another subject is refused."""
    fill(ledger)
    first, again = erase(ledger), erase(ledger)
    assert again.repeated
    assert (again.records, again.entries, again.erased) == (first.records, first.entries, first.erased)
    with pytest.raises(IdempotencyConflictError):
        erase(ledger, BEN)
    assert erase(ledger, BEN, key="erase-2").records == 4


def test_who_is_not_known_cannot_be_erased(ledger: SmallLedger) -> None:
    """A subject of whom nothing is kept is a typed error, not a certificate, also before the first record."""
    with pytest.raises(UnknownSubjectError):
        erase(ledger, "nobody")
    fill(ledger)
    with pytest.raises(UnknownSubjectError):
        erase(ledger, "nobody")


def test_a_prepared_row_of_the_erased_is_refused(ledger: SmallLedger) -> None:
    """A row of a stream that was sealed before the erasure and arrives after it is not stored."""
    fill(ledger)
    with ledger.database.write("records.keys") as conn:
        writer, _, found = ledger.intake.writer_keys(conn, ledger.log.target, [ANN])
    parsed = ledger.submission(order_number="late", buyer=ANN).parsed
    maker = RecordMaker(PURCHASE, target=ledger.log.target, keys=writer, accepted=ledger.clock.now())
    made, _ = maker.make(parsed, encode_values(parsed), sealing=found[ANN], token=None)
    erase(ledger)
    (outcome,) = ledger.intake.accept([made])
    assert isinstance(outcome, Rejected)
    assert isinstance(writer, WriterKeys)


def test_writers_race_with_an_erasure(ledger: SmallLedger) -> None:
    """However writes fall around an erasure, each is erased whole or kept whole: the auditor opens all the rest."""
    fill(ledger)
    stop = threading.Event()
    failures: list[BaseException] = []

    def write(worker: int) -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                ledger.intake.accept([ledger.submission(f"race-{worker}-{number}", buyer=ANN)])
        except BaseException as error:  # noqa: BLE001  a thread's error is the test's
            failures.append(error)

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for each in writers:
        each.start()
    try:
        for turn in range(5):
            erase(ledger, key=f"race-{turn}")
            ledger.intake.accept([ledger.submission(f"between-{turn}", buyer=ANN)])
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert failures == []
    while ledger.sequencer.sequence(ledger.log.id):
        pass
    report = audit_of(ledger)
    assert report.findings == []
    assert report.looked_at["erasures"] == 5
    with ledger.database.read() as conn:
        named = select(records.c.id).where(records.c.reference.is_not(None), records.c.key_id.is_(None))
        assert conn.execute(named).all() == []


@pytest.mark.parametrize("fault", ["fail", "fail-done"])
@pytest.mark.parametrize("step", ["vault.erasure-order", "records.erase"])
def test_a_fault_leaves_an_order_that_the_next_start_carries_out(
    sqlite_ledger: SmallLedger, step: str, fault: str
) -> None:
    """Wherever an erasure is struck, after the next start it is either whole or was never begun."""
    fill(sqlite_ledger)
    failpoints.arm(f"{step}={fault}")
    with pytest.raises((InjectedFaultError, StorageFatalError)):
        erase(sqlite_ledger)
    failpoints.disarm()
    with small_ledger(sqlite_ledger.directory, clock=SetClock()) as again:
        begun = (step, fault) != ("vault.erasure-order", "fail")
        done = (step, fault) == ("records.erase", "fail-done")
        assert eraser_of(again).reapply() == (begun and not done)
        assert eraser_of(again).reapply() == 0
        assert erase(again).repeated is begun
        again.sequencer.sequence(again.log.id)
        assert audit_of(again).findings == []


def test_a_restored_backup_is_erased_again(tmp_path: Path) -> None:
    """A database from before the erasure loses the contents again, by the register, and audits clean."""
    with small_ledger(tmp_path, clock=SetClock()) as ledger:
        fill(ledger)
    shutil.copytree(tmp_path, tmp_path / "backup")
    with small_ledger(tmp_path, clock=SetClock()) as ledger:
        first = erase(ledger)
    shutil.copy(tmp_path / "erasures.log", tmp_path / "backup")
    with small_ledger(tmp_path / "backup", clock=SetClock()) as restored:
        assert open_number(restored, numbers_of(restored, ANN)[0])["buyer"] == ANN
        assert eraser_of(restored).reapply() == 1
        with pytest.raises(PayloadMissingError):
            open_number(restored, numbers_of(restored, ANN)[0])
        again = erase(restored)
        assert again.repeated
        assert again.records == first.records
        restored.sequencer.sequence(restored.log.id)
        assert audit_of(restored).findings == []


def test_what_no_erasure_names_is_damage(ledger: SmallLedger) -> None:
    """Contents that vanish beside an erasure, and contents that outlive theirs, are both found."""
    fill(ledger)
    erase(ledger)
    with ledger.database.write("records.accept") as conn:
        number = numbers_of(ledger, BEN)[0]
        conn.execute(records.update().where(records.c.id == number).values(key_id=None))
        number = numbers_of(ledger, ANN)[0]
        rows = sealed_payloads.update().where(sealed_payloads.c.record == number)
        conn.execute(rows.values(sealed=b"\x01" + bytes(80)))
    found = [each.code for each in audit_of(ledger).findings]
    assert sorted(found) == ["payload_kept", "payload_missing"]
    closed = audit_of(ledger, opening=False)
    assert closed.findings == []
    assert closed.looked_at["payloads missing, erasures not opened"] == 5


def test_pages_keep_no_key_and_no_payload(sqlite_ledger: SmallLedger) -> None:
    """After the journal is emptied no file of the database holds the wrapped key or a sealed byte of the erased."""
    fill(sqlite_ledger)
    database = sqlite_ledger.database
    with database.read() as conn:
        wanted = list(
            conn.execute(select(vault_keys.c.wrapped).where(vault_keys.c.scope == "subject")).scalars()
        )
        wanted += conn.execute(select(sealed_payloads.c.sealed).order_by(sealed_payloads.c.record)).scalars()
    erase(sqlite_ledger)
    erase(sqlite_ledger, BEN, key="erase-2")
    database.flush_journal()
    stored = b"".join(path.read_bytes() for path in sqlite_ledger.directory.glob("ledger.sqlite*"))
    assert [each for each in wanted if bytes(each)[13:] in stored] == []
