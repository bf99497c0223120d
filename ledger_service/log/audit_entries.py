"""Auditing entries: each is hashed and parsed again, held against its record, and its payload is opened."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, bindparam, select

from ledger_service.errors import KeyUnavailableError, LedgerError
from ledger_service.log.audit_erasures import ErasureAudit
from ledger_service.log.audit_status import StatusAudit
from ledger_service.log.tables import log_entries
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.entry import Entry, parse_entry
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.opening import OPENING_KIND, OPENING_SCHEMA, parse_opening
from ledger_service.records.erasure import ERASURE
from ledger_service.records.history import unseal
from ledger_service.records.tables import outbox, record_salts, records, sealed_payloads
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from ledger_service.log.directory import LogRow
    from ledger_service.log.findings import AuditReport
    from ledger_service.proofs.schema import Schema
    from ledger_service.records.kinds import Kind
    from ledger_service.vault.keyring import Keyring

PAGE: Final = 2_000
_MOST_KEYS: Final = 50_000

_RECORD: Final = (
    records.c.rid,
    records.c.org_id,
    records.c.log_id.label("record_log"),
    records.c.kind,
    records.c.accepted,
    records.c.key_id,
    sealed_payloads.c.sealed,
    sealed_payloads.c.generation,
    record_salts.c.salt,
)
_ENTRIES: Final[Select[Any]] = (
    select(log_entries.c.idx, log_entries.c.record, log_entries.c.leaf, log_entries.c.entry, *_RECORD)
    .outerjoin(records, records.c.id == log_entries.c.record)
    .outerjoin(sealed_payloads, sealed_payloads.c.record == log_entries.c.record)
    .outerjoin(record_salts, record_salts.c.record == log_entries.c.record)
    .where(log_entries.c.log_id == bindparam("log"), log_entries.c.idx >= bindparam("first"))
    .order_by(log_entries.c.idx)
    .limit(PAGE)
)
_WAITING: Final[Select[Any]] = (
    select(outbox.c.record, outbox.c.leaf, outbox.c.entry, *_RECORD)
    .outerjoin(records, records.c.id == outbox.c.record)
    .outerjoin(sealed_payloads, sealed_payloads.c.record == outbox.c.record)
    .outerjoin(record_salts, record_salts.c.record == outbox.c.record)
    .where(outbox.c.log_id == bindparam("log"), outbox.c.record > bindparam("after"))
    .order_by(outbox.c.record)
    .limit(PAGE)
)


class EntryAudit:
    """Checks the entries of one log, one row at a time."""

    __slots__ = (
        "_conn",
        "_erasures",
        "_keyring",
        "_keys",
        "_log",
        "_next",
        "_report",
        "_schemas",
        "_statuses",
    )

    def __init__(
        self,
        conn: Connection,
        log: LogRow,
        *,
        report: AuditReport,
        keyring: Keyring | None,
        kinds: Mapping[str, Kind],
    ) -> None:
        """Open payloads with `keyring`, or not at all without; `kinds` are the known ones."""
        self._conn = conn
        self._log = log
        self._report = report
        self._keyring = keyring
        self._schemas = {name: kind.schema for name, kind in kinds.items()} | {OPENING_KIND: OPENING_SCHEMA}
        self._statuses = StatusAudit(conn, log, report=report, kinds=kinds)
        self._keys: dict[int, bytes] = {}
        self._erasures = ErasureAudit(log, report=report)
        self._next = 0

    def sequenced(self) -> Iterator[tuple[int, bytes]]:
        """Check every entry of the log and yield its index and the hash of its bytes, in order."""
        first = 0
        while page := self._conn.execute(_ENTRIES, {"log": self._log.id, "first": first}).all():
            self._learn_keys(page)
            for row in page:
                where = f"{self._log.origin} entry {row.idx}"
                self._next = row.idx + 1
                leaf = self._check_row(row, where, index=row.idx)
                self._report.accepted = None
                yield row.idx, leaf
            first = page[-1].idx + 1

    def waiting(self) -> None:
        """Check every record that waits for an index, and then whether what is missing was erased."""
        after = -1
        while page := self._conn.execute(_WAITING, {"log": self._log.id, "after": after}).all():
            self._learn_keys(page)
            for row in page:
                self._report.looked_at["waiting"] += 1
                self._check_row(row, f"{self._log.origin} waiting record {row.record}", index=None)
                # What waits gets its index in this order, and an erasure names it by that.
                self._next += 1
            after = page[-1].record
        self._report.accepted = None
        self._erasures.finish()
        self._statuses.finish()

    def _check_row(self, row: Row[Any], where: str, *, index: int | None) -> bytes:
        self._report.accepted = row.accepted if isinstance(row.accepted, int) else None
        try:
            leaf = leaf_hash(row.entry)
        except TypeError:
            self._report.add("entry_unreadable", where, "the entry is not bytes")
            return b""
        self._report.looked_at["entries"] += index is not None
        if leaf != row.leaf:
            self._report.add("entry_hash", where, "the entry does not hash to its leaf")
        try:
            entry = parse_entry(row.entry)
            self._check_claim(entry, row, where, index=index)
        except LedgerError as error:
            self._report.add("entry_malformed", where, error.text)
        except Exception as error:  # noqa: BLE001  an altered row can hold anything; it must not end the audit
            self._report.add("entry_unreadable", where, type(error).__name__)
        return leaf

    def _check_claim(self, entry: Entry, row: Row[Any], where: str, *, index: int | None) -> None:
        claim, log = entry.claim, self._log
        if row.rid is None:
            self._report.add("record_missing", where, "the entry has no record")
            return
        stored = (log.origin, log.org, log.org_id, log.id, encode_base64url(row.rid), row.kind, row.accepted)
        claimed = (
            claim.log,
            claim.org,
            row.org_id,
            row.record_log,
            claim.id,
            claim.kind,
            to_instant(entry.accepted),
        )
        if stored != claimed:
            self._report.add("record_differs", where, "the entry says something else than its record")
        if (claim.kind == OPENING_KIND) != (index == 0) and not (
            claim.kind == OPENING_KIND and index is None
        ):
            self._report.add("opening_misplaced", where, "entry 0, and no other, is the log's opening")
        elif claim.kind == OPENING_KIND:
            self._check_opening(entry, where)
        elif claim.kind not in log.kinds:
            self._report.add("kind_unknown", where, "the log was not opened for this kind")
        place = self._next if index is None else index
        self._statuses.see(entry, row.record, where, place=place)
        schema = self._schemas.get(claim.kind)
        if schema is None or schema.hash != claim.schema:
            self._report.add("schema_unknown", where, "the entry's schema is not the one of its kind")
        else:
            self._check_payload(entry, row, schema, where, place=place)

    def _check_opening(self, entry: Entry, where: str) -> None:
        opening = parse_opening(entry)
        fixed = (opening.origin, opening.org, opening.kinds, opening.keys)
        if fixed != (self._log.origin, self._log.org, self._log.kinds, self._log.vkeys):
            self._report.add("opening_differs", where, "the log is not kept as its opening fixed it")

    def _check_payload(self, entry: Entry, row: Row[Any], schema: Schema, where: str, *, place: int) -> None:
        claim = entry.claim
        if claim.commitment is None:
            if schema.private or row.sealed is not None or row.salt is not None:
                self._report.add("payload_unbound", where, "there is a payload that no commitment binds")
            return
        if row.sealed is None or row.salt is None or row.key_id is None:
            self._erasures.note_missing(place, where, row.leaf, kept=row.sealed)
            return
        if self._keyring is None:
            self._erasures.unread += claim.kind == ERASURE.name
            self._report.looked_at["payloads not opened"] += 1
            return
        try:
            key = self._key(row.key_id)
            opening = unseal(
                key, row.sealed, salt=row.salt, generation=row.generation, claim=claim, schema=schema
            )
            if claim.kind == ERASURE.name:
                self._erasures.note_erasure(opening.values, where)
        except KeyUnavailableError as error:
            self._report.add("payload_key", where, error.text)
        except LedgerError as error:
            self._report.add("payload_wrong", where, error.text)
        else:
            self._report.looked_at["payloads opened"] += 1

    def _learn_keys(self, page: Sequence[Row[Any]]) -> None:
        """Unwrap the keys of a page at once; a key that is damaged is met again where it is needed."""
        if self._keyring is None:
            return
        if len(self._keys) > _MOST_KEYS:
            self._keys.clear()
        wanted = {row.key_id for row in page if type(row.key_id) is int}
        with suppress(KeyUnavailableError):
            found = self._keyring.keys_of(self._conn, wanted - self._keys.keys())
            self._keys |= {number: each.key for number, each in found.items()}

    def _key(self, key_id: int) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            assert self._keyring is not None
            key = self._keyring.key_of(self._conn, key_id).key
        return key
