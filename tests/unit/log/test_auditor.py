"""The auditor: finds whatever was changed, and nothing where nothing was."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Executable, Table, delete, insert, select, text, update

from ledger_service.errors import SignatureError, StorageFatalError
from ledger_service.log.auditor import audit
from ledger_service.log.tables import checkpoints, log_entries, log_heads, log_tiles, logs
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.note import ALG_EIP712, format_vkey, make_vkey
from ledger_service.records.tables import (
    idempotency_keys,
    outbox,
    record_counter,
    record_salts,
    records,
    sealed_payloads,
)
from ledger_service.storage import failpoints
from ledger_service.vault.tables import vault_keys
from tests.support.small_ledger import SetClock, SmallLedger, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.log.findings import AuditReport
    from tests.support.small_ledger import SmallLedger


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def fill(ledger: SmallLedger) -> None:
    """A log of 303 entries in four checkpoints, one of them signed again, and two records that wait."""
    ledger.sequencer.sequence(ledger.log.id)
    for count in (2, 260, 40):
        ledger.intake.accept([ledger.submission(f"{count}/{i}", buyer=f"b{i}") for i in range(count)])
        ledger.sequencer.sequence(ledger.log.id)
    ledger.sequencer.heartbeat(ledger.log.id)
    ledger.intake.accept([ledger.submission(f"waiting/{i}") for i in range(2)])


@pytest.fixture(scope="module")
def full_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled ledger on SQLite, made once and copied for each test."""
    directory = tmp_path_factory.mktemp("full")
    with small_ledger(directory, clock=SetClock()) as ledger:
        fill(ledger)
    return directory


@pytest.fixture
def filled(full_directory: Path, tmp_path: Path) -> Iterator[SmallLedger]:
    """A filled ledger of the test's own."""
    shutil.copytree(full_directory, tmp_path / "copy")
    with small_ledger(tmp_path / "copy", clock=SetClock()) as ledger:
        yield ledger


def report_of(ledger: SmallLedger, **options: Any) -> AuditReport:
    """A full audit."""
    asked: dict[str, Any] = {"keyring": ledger.keyring, "kinds": [PURCHASE]}
    return audit(ledger.database, **(asked | options))


def test_untouched_ledger_is_clean(ledger: SmallLedger) -> None:
    """An untouched ledger has no findings, and the report counts everything that was looked at."""
    fill(ledger)
    report = report_of(ledger)
    assert report.findings == []
    assert report.clean
    assert dict(report.looked_at) == {
        "logs": 1,
        "records": 305,
        "entries": 303,
        "waiting": 2,
        "payloads opened": 304,
        "tiles": 3,
        "checkpoints": 5,
        "signatures": 10,
        "status changes": 0,
    }


def test_unfinished_step_is_no_finding(tmp_path: Path) -> None:
    """What a crash leaves between two commits is as it must be."""
    with small_ledger(tmp_path) as ledger:
        fill(ledger)
        failpoints.arm("log.sign=fail")
        with pytest.raises(StorageFatalError):
            ledger.sequencer.sequence(ledger.log.id)
        assert report_of(ledger).findings == []


def test_empty_log_is_clean(ledger: SmallLedger) -> None:
    """A log whose opening still waits is clean."""
    assert report_of(ledger).findings == []


def test_without_keys_payloads_are_counted_as_not_opened(ledger: SmallLedger) -> None:
    """Without a keyring no payload is opened, and the report says how many were not."""
    fill(ledger)
    report = report_of(ledger, keyring=None)
    assert report.findings == []
    assert report.looked_at["payloads not opened"] == 304


RECORD = 8  # the record of entry 7
OTHER = 9
WAITING = 304


def put(table: Table, column: str, value: int, **values: object) -> Executable:
    """Change the rows in which a column has this value."""
    return update(table).where(table.c[column] == value).values(values)


def drop(table: Table, column: str, value: int) -> Executable:
    """Delete the rows in which a column has this value."""
    return delete(table).where(table.c[column] == value)


def add(table: Table, **values: object) -> Executable:
    """Add a row."""
    return insert(table).values(values)


ANOTHER_NOTE = select(checkpoints.c.note).where(checkpoints.c.size == 1).scalar_subquery()
BLANK = leaf_hash(b"{}")

CHANGES: dict[str, tuple[list[Executable], set[str]]] = {
    "entry": (
        [put(log_entries, "idx", 7, entry=b"{}")],
        {"entry_hash", "entry_malformed", "tile_wrong", "checkpoint_root"},
    ),
    "leaf": ([put(log_entries, "idx", 7, leaf=bytes(32))], {"entry_hash"}),
    "entry and leaf": (
        [put(log_entries, "idx", 7, entry=b"{}", leaf=BLANK)],
        {"entry_malformed", "tile_wrong", "checkpoint_root", "head_root"},
    ),
    "entry row": ([drop(log_entries, "idx", 7)], {"index_missing", "record_lost", "entries_missing"}),
    "last entry row": ([drop(log_entries, "idx", 302)], {"record_lost", "checkpoint_beyond"}),
    "tile": ([put(log_tiles, "idx", 1, hashes=bytes(47 * 32))], {"tile_wrong"}),
    "tile row": ([drop(log_tiles, "idx", 1)], {"tile_missing"}),
    "extra tile": ([add(log_tiles, log_id=1, level=2, idx=0, hashes=bytes(32))], {"extra_tile"}),
    "checkpoint root": ([put(checkpoints, "size", 3, root=bytes(32))], {"checkpoint_root"}),
    "exchanged note": ([put(checkpoints, "size", 3, note=ANOTHER_NOTE)], {"checkpoint_note"}),
    "broken note": ([put(checkpoints, "size", 3, note=b"x")], {"checkpoint_note"}),
    "checkpoint time": ([put(checkpoints, "size", 3, timestamp=1)], {"checkpoint_time"}),
    "checkpoint row": ([drop(checkpoints, "size", 303)], {"head_unsigned"}),
    "checkpoint beyond": (
        [add(checkpoints, log_id=1, size=900, root=bytes(32), timestamp=2**33, note=b"x")],
        {"checkpoint_beyond"},
    ),
    "fresh note": ([put(checkpoints, "size", 303, fresh_note=b"x")], {"checkpoint_note"}),
    "head root": ([put(log_heads, "log_id", 1, root=bytes(32))], {"head_root"}),
    "head size": ([put(log_heads, "log_id", 1, size=263)], {"entries_unsigned", "checkpoint_beyond"}),
    "head time": ([put(log_heads, "log_id", 1, timestamp=5)], {"head_time"}),
    "intent": (
        [put(log_heads, "log_id", 1, intent_size=303, intent_root=bytes(32), intent_timestamp=5)],
        {"intent_root"},
    ),
    "record row": ([drop(records, "id", RECORD)], {"record_missing", "orphan_row"}),
    "record id": ([put(records, "id", RECORD, rid=bytes(16))], {"record_differs"}),
    "record time": ([put(records, "id", RECORD, accepted=0)], {"record_differs"}),
    "record org": ([put(records, "id", RECORD, org_id=2)], {"record_differs"}),
    "record kind": ([put(records, "id", RECORD, kind="other/v1")], {"record_differs"}),
    "record log": ([put(records, "id", RECORD, log_id=2)], {"record_differs", "orphan_row"}),
    "record key": ([put(records, "id", RECORD, key_id=1)], {"payload_wrong"}),
    "payload byte": (
        [put(sealed_payloads, "record", RECORD, sealed=b"\1" + bytes(300))],
        {"payload_wrong"},
    ),
    "payload row": ([drop(sealed_payloads, "record", RECORD)], {"payload_missing"}),
    "salt": ([put(record_salts, "record", RECORD, salt=bytes(32))], {"payload_wrong"}),
    "salt row": ([drop(record_salts, "record", RECORD)], {"payload_missing"}),
    "generation": ([put(sealed_payloads, "record", RECORD, generation=9)], {"payload_wrong"}),
    "exchanged payloads": (
        [drop(sealed_payloads, "record", OTHER), put(sealed_payloads, "record", RECORD, record=OTHER)],
        {"payload_wrong", "payload_missing"},
    ),
    "subject key": ([drop(vault_keys, "id", 5)], {"payload_key"}),
    "payload without commitment": ([add(record_salts, record=1, salt=bytes(32))], {"payload_unbound"}),
    "orphan payload": ([add(sealed_payloads, record=999, generation=1, sealed=b"x")], {"orphan_row"}),
    "orphan salt": ([add(record_salts, record=999, salt=bytes(32))], {"orphan_row"}),
    "orphan key": (
        [add(idempotency_keys, org_id=1, key=b"k", line=0, record=999, fingerprint=b"f")],
        {"orphan_row"},
    ),
    "outbox row": ([drop(outbox, "record", WAITING)], {"record_lost"}),
    "outbox leaf": ([put(outbox, "record", WAITING, leaf=bytes(32))], {"entry_hash"}),
    "outbox entry": ([put(outbox, "record", WAITING, entry=b"{}")], {"entry_hash", "entry_malformed"}),
    "record twice": ([add(outbox, record=RECORD, log_id=1, leaf=BLANK, entry=b"{}")], {"record_twice"}),
    "opening": ([put(logs, "id", 1, kinds="purchase/v1 refund/v1")], {"opening_differs"}),
    "kinds": ([put(logs, "id", 1, kinds="refund/v1")], {"opening_differs", "kind_unknown"}),
    "counter": ([put(record_counter, "id", 1, last=3)], {"counter_behind"}),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_every_change_is_found(filled: SmallLedger, change: str) -> None:
    """Each single change to what is stored is found, under the codes that say what it is."""
    statements, codes = CHANGES[change]
    with filled.database.write("log.assign") as conn:
        for statement in statements:
            assert conn.execute(statement).rowcount >= 1
    report = report_of(filled)
    assert not report.clean
    assert codes <= {finding.code for finding in report.findings}


def test_changed_types_are_found(filled: SmallLedger) -> None:
    """A column that somebody filled with another type is a finding, not the end of the audit."""
    with filled.database.write("log.assign") as conn:
        conn.execute(text("UPDATE log_entries SET entry = 'words' WHERE idx = 7"))
        conn.execute(text("UPDATE records SET rid = 'words' WHERE id = 12"))
    codes = {finding.code for finding in report_of(filled).findings}
    assert "entry_unreadable" in codes


def test_damaged_page_is_found(filled: SmallLedger) -> None:
    """An index that hides a row is found by asking SQLite itself."""
    path = filled.directory / "ledger.sqlite"
    filled.database.close()
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA writable_schema=ON")
    conn.execute("UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'ix_outbox_log_id_record'")
    conn.commit()
    conn.close()
    codes = {finding.code for finding in report_of(filled).findings}
    assert "database_damaged" in codes


def test_unknown_schema_is_found(filled: SmallLedger) -> None:
    """Entries of a kind that the program does not know are not passed over."""
    assert {finding.code for finding in report_of(filled, kinds=[]).findings} == {"schema_unknown"}


def test_findings_are_bounded(filled: SmallLedger) -> None:
    """A thousand findings are kept in words, and all are counted."""
    filled.intake.accept([filled.submission() for _ in range(900)])
    report = report_of(filled, kinds=[])
    assert (len(report.findings), report.count) == (1_000, 1_204)


def test_third_line_is_checked_by_who_can(filled: SmallLedger) -> None:
    """A line that the kernel does not know is counted as not checked, or checked by what is given."""
    extra = make_vkey(filled.log.origin, alg=ALG_EIP712, public_key=b"\2" * 33)
    row = replace(filled.log, vkeys=(*filled.log.vkeys, extra))
    assert row.vkeys[2] == extra

    def refuse(*_: object) -> None:
        raise SignatureError

    with filled.database.write("log.assign") as conn:
        conn.execute(update(logs).values(vkeys="\n".join(format_vkey(key) for key in row.vkeys)))
    assert report_of(filled).looked_at["lines not checked"] == 5
    assert report_of(filled, check_line=lambda *_: None).looked_at["signatures"] == 15
    found = [finding.code for finding in report_of(filled, check_line=refuse).findings]
    assert found.count("checkpoint_signature") == 5
