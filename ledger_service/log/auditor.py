"""The auditor: recomputes everything from the stored bytes and believes none of them.

Every entry is hashed again and held against its leaf, its record, its tile, the root and each checkpoint
over it; every signature is checked; every payload is opened and its commitment recomputed; and nothing
may be left over. It reads one snapshot page by page, so it may run beside the service, and its memory
does not grow with the log.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, text

from ledger_service.log.audit_checkpoints import CheckpointAudit, LineCheck
from ledger_service.log.audit_entries import EntryAudit
from ledger_service.log.audit_tree import AuditTree
from ledger_service.log.directory import LogRow, all_logs
from ledger_service.log.findings import AuditReport
from ledger_service.log.heads import Head, read_head
from ledger_service.log.tables import checkpoints, log_entries, log_heads, log_tiles, logs
from ledger_service.proofs.audit_report import AuditedLog
from ledger_service.proofs.canonical import MAX_INTEGER
from ledger_service.proofs.entry import ORIGIN
from ledger_service.proofs.merkle import HASH_SIZE
from ledger_service.records.tables import (
    idempotency_keys,
    outbox,
    record_counter,
    record_pointers,
    record_salts,
    records,
    sealed_payloads,
    status_changes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Column, ColumnElement, Connection

    from ledger_service.records.kinds import Kind
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring

_MOST_NAMED: Final = 20
# Rows that must belong to a record, and those that must belong to a log.
_OF_RECORDS: Final = (
    record_salts.c.record,
    sealed_payloads.c.record,
    idempotency_keys.c.record,
    outbox.c.record,
    record_pointers.c.record,
    record_pointers.c.target,
    status_changes.c.explanation,
    status_changes.c.record,
)
_OF_LOGS: Final = (
    log_heads.c.log_id,
    log_entries.c.log_id,
    log_tiles.c.log_id,
    checkpoints.c.log_id,
    records.c.log_id,
    status_changes.c.log_id,
)


def audit(
    database: Database, *, keyring: Keyring | None, kinds: Iterable[Kind], check_line: LineCheck | None = None
) -> AuditReport:
    """Audit all logs and records, and return what was found.

    Without `keyring`, payloads are not opened; without `check_line`, signature lines that the kernel
    does not know are not checked. The report counts both. What cannot be read is a finding.
    """
    report = AuditReport()
    named = {kind.name: kind for kind in kinds}
    with report.looking_at("database"), database.read() as conn:
        with report.looking_at("pages of the database"):
            _check_engine(conn, report)
        with report.looking_at("rows of records and logs"):
            _check_left_over(conn, report)
        for log in all_logs(conn):
            report.looked_at["logs"] += 1
            with report.looking_at(log.origin):
                _audit_log(conn, log, report, keyring=keyring, kinds=named, check_line=check_line)
            report.accepted = None
    return report


def _audit_log(
    conn: Connection,
    log: LogRow,
    report: AuditReport,
    *,
    keyring: Keyring | None,
    kinds: Mapping[str, Kind],
    check_line: LineCheck | None,
) -> None:
    head = read_head(conn, log.id)
    _note_log(conn, report, log, head)
    tree = AuditTree(conn, log.id, origin=log.origin, report=report)
    signed = CheckpointAudit(conn, log, head, report=report, check_line=check_line)
    entries = EntryAudit(conn, log, report=report, keyring=keyring, kinds=kinds)
    for index, leaf in entries.sequenced():
        if index != tree.size:
            report.add("index_missing", f"{log.origin} entry {tree.size}", f"the next entry is {index}")
            break
        tree.append(leaf)
        while signed.next_size is not None and signed.next_size <= tree.size:
            signed.show(tree.root())
        _check_head(head, tree, log, report)
    tree.finish()
    signed.finish()
    _check_end(head, tree, log, report)
    entries.waiting()


def _note_log(conn: Connection, report: AuditReport, log: LogRow, head: Head) -> None:
    """Note for the signed report which state of the log this is, unless it is none that could be."""
    if ORIGIN.fullmatch(log.origin) and len(head.root) == HASH_SIZE and 0 <= head.size <= MAX_INTEGER:
        newest = select(checkpoints.c.note, checkpoints.c.fresh_note).where(
            checkpoints.c.log_id == log.id, checkpoints.c.size == head.size
        )
        row = conn.execute(newest).first()
        note = None if row is None else sha256(bytes(row.fresh_note or row.note)).digest()
        report.logs.append(AuditedLog(log.origin, head.size, head.root, note))
    else:
        report.add("log_malformed", f"log {log.id}", "its origin or its head is none that a log can have")


def _check_head(head: Head, tree: AuditTree, log: LogRow, report: AuditReport) -> None:
    if tree.size == head.size and tree.root() != head.root:
        report.add("head_root", log.origin, "the head's root is not the root of the entries")


def _check_end(head: Head, tree: AuditTree, log: LogRow, report: AuditReport) -> None:
    """What lies beyond the signed head must be what is intended, to the entry."""
    if tree.size < head.size:
        report.add("entries_missing", log.origin, f"{head.size} entries are signed, {tree.size} are there")
    intent = head.intent
    if intent is None:
        if tree.size > head.size:
            report.add("entries_unsigned", log.origin, f"{tree.size - head.size} entries beyond the head")
    elif (intent.size, intent.root) != (tree.size, tree.root()):
        report.add("intent_root", log.origin, "the intended checkpoint is not that of the entries")


def _check_left_over(conn: Connection, report: AuditReport) -> None:
    for column in _OF_RECORDS:
        _report_rows(conn, report, "orphan_row", column, wrong=column.not_in(select(records.c.id)))
    for column in _OF_LOGS:
        _report_rows(conn, report, "orphan_row", column, wrong=column.not_in(select(logs.c.id)))
    nowhere = records.c.id.not_in(select(log_entries.c.record)) & records.c.id.not_in(select(outbox.c.record))
    _report_rows(conn, report, "record_lost", records.c.id, wrong=nowhere)
    twice = outbox.c.record.in_(select(log_entries.c.record))
    _report_rows(conn, report, "record_twice", outbox.c.record, wrong=twice)
    highest = conn.execute(select(func.coalesce(func.max(records.c.id), 0))).scalar_one()
    last = conn.execute(select(func.coalesce(func.max(record_counter.c.last), 0))).scalar_one()
    if last < highest:
        report.add("counter_behind", "record_counter", "numbers would be given out twice")
    report.looked_at["records"] = conn.execute(select(func.count()).select_from(records)).scalar_one()


def _report_rows(
    conn: Connection, report: AuditReport, code: str, column: Column[int], *, wrong: ColumnElement[bool]
) -> None:
    for number in conn.execute(select(column).where(wrong).limit(_MOST_NAMED)).scalars():
        report.add(code, f"{column.table.fullname} {column.name} {number}", _PROBLEMS[code])


_PROBLEMS: Final = {
    "orphan_row": "the row belongs to nothing",
    "record_lost": "the record was accepted and stands in no log and in no outbox",
    "record_twice": "the record waits for an index that it has already",
}


def _check_engine(conn: Connection, report: AuditReport) -> None:
    """Ask SQLite whether its pages and indexes agree: what an index hides, no query finds."""
    if conn.dialect.name != "sqlite":
        return
    for (said,) in conn.execute(text(f"PRAGMA integrity_check({_MOST_NAMED})")):
        if said != "ok":
            report.add("database_damaged", "database", str(said)[:200])
