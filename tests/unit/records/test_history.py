"""Looking records up, and opening their payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from ledger_service.errors import KeyUnavailableError, PayloadMissingError, SealError, UnknownRecordError
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, SCHEMA
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.history import find_record, open_record, record_of_number, waiting_entry
from ledger_service.records.outcomes import Accepted
from ledger_service.records.tables import record_salts, sealed_payloads
from ledger_service.vault.tables import vault_keys

if TYPE_CHECKING:
    from ledger_service.records.preparation import Opening
    from tests.support.small_ledger import SmallLedger


def make(ledger: SmallLedger) -> Accepted:
    """One accepted purchase."""
    (outcome,) = ledger.intake.accept([ledger.submission()])
    assert isinstance(outcome, Accepted)
    return outcome


def opened(ledger: SmallLedger, made: Accepted) -> Opening:
    """The payload of a record, opened from the database."""
    with ledger.database.read() as conn:
        row = find_record(conn, made.id)
        return open_record(conn, ledger.keyring, row, claim=parse_entry(made.entry).claim, schema=SCHEMA)


def test_record_is_found_by_id_and_number(ledger: SmallLedger) -> None:
    """A record is the same by its public id and by its number, and its entry waits in the outbox."""
    made = make(ledger)
    with ledger.database.read() as conn:
        row = find_record(conn, made.id)
        assert record_of_number(conn, made.record) == row
        assert waiting_entry(conn, made.record) == made.entry
    assert (row.id, row.kind, row.accepted, row.log_id) == (
        made.id,
        "purchase/v1",
        made.accepted,
        ledger.log.id,
    )


@pytest.mark.parametrize("record_id", ["", "A" * 22, "not an id", "é", "A" * 5000])
def test_unknown_ids_are_all_alike(ledger: SmallLedger, record_id: str) -> None:
    """An id that no record has and text that is no id get the same answer."""
    with ledger.database.read() as conn, pytest.raises(UnknownRecordError) as refused:
        find_record(conn, record_id)
    assert refused.value.details == {}
    with ledger.database.read() as conn, pytest.raises(UnknownRecordError):
        record_of_number(conn, 10_000)


def test_payload_opens_to_what_was_sent(ledger: SmallLedger) -> None:
    """The stored payload opens to the fields that were sent, and to the salt that the writer got."""
    made = make(ledger)
    assert opened(ledger, made) == made.opening
    assert opened(ledger, made).values == EXAMPLE_PURCHASE


@pytest.mark.parametrize("table", [record_salts, sealed_payloads], ids=["salt", "payload"])
def test_missing_parts_are_told(sqlite_ledger: SmallLedger, table: object) -> None:
    """Without its salt or its payload a record cannot be opened, and says so."""
    made = make(sqlite_ledger)
    with sqlite_ledger.database.write("records.keys") as conn:
        conn.execute(delete(table))  # type: ignore[arg-type]  # parametrize hides the type
    with pytest.raises(PayloadMissingError):
        opened(sqlite_ledger, made)


def test_erased_key_is_told(sqlite_ledger: SmallLedger) -> None:
    """Without its subject's key a record cannot be opened, and says so."""
    made = make(sqlite_ledger)
    with sqlite_ledger.database.write("records.keys") as conn:
        conn.execute(delete(vault_keys).where(vault_keys.c.scope == "subject"))
    with pytest.raises(KeyUnavailableError):
        opened(sqlite_ledger, made)


def test_exchanged_payloads_are_refused(sqlite_ledger: SmallLedger) -> None:
    """A payload that was put in the place of another record's of the same subject does not open."""
    one, two = make(sqlite_ledger), make(sqlite_ledger)
    with sqlite_ledger.database.write("records.keys") as conn:
        conn.execute(delete(sealed_payloads).where(sealed_payloads.c.record == one.record))
        moved = update(sealed_payloads).where(sealed_payloads.c.record == two.record)
        conn.execute(moved.values(record=one.record))
    with pytest.raises(SealError):
        opened(sqlite_ledger, one)
