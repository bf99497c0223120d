"""Statements of status against a plain model, and what a forged one is worth."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, update

from ledger_service.errors import CorruptLogError, LedgerError
from ledger_service.log.auditor import audit
from ledger_service.log.tables import log_entries
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.records.tables import record_pointers, records, status_changes
from ledger_service.wiring.kinds import KINDS
from tests.support.small_ledger import SetClock, small_ledger
from tests.support.status_histories import Histories

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Executable


@contextmanager
def live(directory: Path, rng: random.Random, *, count: int) -> Iterator[Histories]:
    """Records to which things have happened, half of them begun after the others."""
    with small_ledger(directory, clock=SetClock()) as ledger:
        made = Histories(ledger, rng)
        for _ in range(2):
            made.begin(count // 2)
            for _ in range(4):
                made.happen(0.4)
        yield made


@pytest.fixture
def histories(tmp_path: Path, rng: random.Random) -> Iterator[Histories]:
    """Fifty records to which things have happened."""
    with live(tmp_path, rng, count=50) as made:
        yield made


@pytest.fixture
def few(tmp_path: Path, rng: random.Random) -> Iterator[Histories]:
    """Twenty of them."""
    with live(tmp_path, rng, count=20) as made:
        yield made


def test_every_answer_is_the_model_s(histories: Histories) -> None:
    """Whatever is asked, at any moment and as known at any other, the verdict is the model's."""
    states = {each.state for each in histories.all}
    assert len(states) >= 4
    assert [wrong for each in histories.all for wrong in histories.wrong_answers(each, questions=8)] == []
    assert {histories.archive.state(each.id).status == each.state for each in histories.all} == {True}


def test_no_forged_statement_is_valid(histories: Histories) -> None:
    """Deleted, cut, altered, exchanged and old statements give `unknown` or `invalid`."""
    for position, each in enumerate(histories.all):
        said = histories.forgeries(each, histories.all[position - 1])
        assert set(said.values()) <= {"unknown", "invalid"}, said


def codes(histories: Histories) -> set[str]:
    """What the auditor finds, beyond kinds that this small log was not opened for."""
    ledger = histories.ledger
    report = audit(ledger.database, keyring=ledger.keyring, kinds=KINDS.all())
    return {finding.code for finding in report.findings} - {"kind_unknown"}


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (delete(status_changes), "status_differs"),
        (update(status_changes).values(state="lost"), "status_differs"),
        (update(status_changes).values(since=0), "status_differs"),
        (update(status_changes).values(record=status_changes.c.record + 1), "status_differs"),
        (delete(record_pointers), "pointer_differs"),
        (update(record_pointers).values(target=2), "pointer_differs"),
    ],
    ids=str,
)
def test_altered_changes_are_found(few: Histories, damage: Executable, code: str) -> None:
    """The auditor derives every change again from the entries and finds what was deleted or altered."""
    assert codes(few) == set()
    with few.ledger.database.write("records.keys") as conn:
        conn.execute(damage)
    assert code in codes(few)


def test_an_altered_change_is_never_stated(few: Histories) -> None:
    """A row that says something else than its entry makes no statement at all."""
    changed = next(each for each in few.all if len(each.steps) > 1)
    assert parse_evidence(few.evidence(changed)).status is not None
    with few.ledger.database.write("records.keys") as conn:
        conn.execute(update(status_changes).values(reason="goodwill"))
    with pytest.raises(CorruptLogError):
        few.evidence(changed)


def test_no_single_missing_row_hides_a_change(few: Histories) -> None:
    """Row by row: without it the record's evidence is refused, as long as anything else tells of the change."""
    changed = [each for each in few.all if each.state != "active"]
    before = {each.id: few.archive.evidence(each.id) for each in changed}
    with few.ledger.database.read() as conn:
        explanations = conn.execute(select(status_changes.c.explanation)).scalars().all()
    for table, column in ((status_changes, "explanation"), (log_entries, "record")):
        for number in explanations:
            with few.ledger.database.read() as conn:
                row = conn.execute(select(table).where(table.c[column] == number)).one()
                record = conn.execute(
                    select(status_changes.c.record).where(status_changes.c.explanation == number)
                ).scalar_one()
                rid = conn.execute(select(records.c.rid).where(records.c.id == record)).scalar_one()
            with few.ledger.database.write("log.assign") as conn:
                conn.execute(delete(table).where(table.c[column] == number))
            with pytest.raises(LedgerError):
                few.archive.evidence(encode_base64url(rid))
            with few.ledger.database.write("log.assign") as conn:
                conn.execute(insert(table).values(row._asdict()))
    assert {each.id: few.archive.evidence(each.id) for each in changed} == before
