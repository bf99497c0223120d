"""Erasing a data subject: in one transaction everything is destroyed that could show what was recorded of them.

    find what there is, in a snapshot
    records.erase   in turn with all writers: find what came since, note the order in the register,
                    overwrite key, salts, payloads, fingerprints and references, and accept an
                    `erasure/v1` entry for each log concerned
    (empty the journal, so that old pages are in no file any more)

Entries stay as they are, so every proof keeps verifying. A write for the subject is either before: then it is
erased with the others; or after: then it gets a new key. A crash before the register's line leaves nothing
done; between it and the commit, the next start carries the order out; after the commit only old pages may be
left in the journal, which the next start empties.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ledger_service.errors import (
    IdempotencyConflictError,
    KeyUnavailableError,
    UnknownRecordError,
    UnknownSubjectError,
)
from ledger_service.log.places import find_places, lock_logs
from ledger_service.log.tables import log_entries
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.destruction import destroy_traces, find_traces
from ledger_service.records.erasure import (
    ERASURE,
    describe_erasure,
    parse_erasure,
    read_targets,
    read_unrecoverable,
)
from ledger_service.records.history import open_record, record_of_number, waiting_entry
from ledger_service.records.outcomes import Rejected
from ledger_service.records.preparation import (
    FINGERPRINT_BYTES,
    RecordMaker,
    SealingKey,
    WriterKeys,
    WriteToken,
    encode_values,
)
from ledger_service.records.storing import lock_counter
from ledger_service.records.tables import idempotency_keys
from ledger_service.vault.blind_index import blind_index
from ledger_service.vault.erasure_register import ErasureOrder
from ledger_service.vault.keyring import key_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.entry import Pointer
    from ledger_service.records.destruction import Traces
    from ledger_service.records.intake import Intake
    from ledger_service.storage.engine import Database
    from ledger_service.vault.erasure_register import ErasureRegister
    from ledger_service.vault.keyring import Keyring, SubjectKey

_NO_TAG: Final = b""
_FINGERPRINT_LABEL: Final = b"audit-ledger/erasure-request/v1"


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that happened: contents of `records` records, and its entry in each log, by the log's name."""

    org: str
    reason: str
    erased: datetime
    unrecoverable: datetime
    records: int
    entries: tuple[Pointer, ...]
    repeated: bool


class Eraser:
    """Erases data subjects. It holds no state: what it knows is in the database and in the register."""

    __slots__ = ("_backup_period", "_clock", "_database", "_entropy", "_intake", "_keyring", "_register")

    def __init__(
        self,
        database: Database,
        intake: Intake,
        keyring: Keyring,
        *,
        register: ErasureRegister,
        clock: Clock,
        backup_period: timedelta,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Note orders in `register`; backups of the database are gone after `backup_period`."""
        self._database = database
        self._intake = intake
        self._keyring = keyring
        self._register = register
        self._clock = clock
        self._backup_period = backup_period
        self._entropy = entropy

    def erase(self, org_id: int, subject: str, *, reason: str, key: str) -> Erasure:
        """Erase a subject, durable on return; the same idempotency key and request again changes nothing.

        Raises UnknownSubjectError, IdempotencyConflictError, KeyUnavailableError, and StorageError, after
        which the next start finishes what may have begun.
        """
        with self._database.read() as conn:
            try:
                org = self._keyring.existing_org_key(conn, org_id)
            except KeyUnavailableError:
                self._keyring.check_wrapper(conn)
                raise UnknownSubjectError from None
            lookup = blind_index(org.index_key, "subject", subject)
            body = b"\x00".join((_FINGERPRINT_LABEL, reason.encode(), lookup))
            order = ErasureOrder(
                org_id=org_id,
                lookup=lookup,
                tag=_NO_TAG,
                reason=reason,
                request=blind_index(org.index_key, "erasure", key),
                fingerprint=hmac_digest(org.fingerprint_key, body, "sha256")[:FINGERPRINT_BYTES],
            )
            seen = self._look(conn, order)
        done = self._carry_out(order, seen)
        with self._database.read() as conn:
            return self._read(conn, order, repeated=not done)

    def reapply(self) -> int:
        """Carry out every order of the register that the database does not know; return how many there were.

        Call it at start, before anything is served: a restored backup holds what was erased since.
        """
        behind = []
        orders = self._register.orders()
        if orders:
            with self._database.read() as conn:
                behind = [each for each in orders if self._is_behind(conn, each)]
        return sum(self._carry_out(each, None) for each in behind)

    def _is_behind(self, conn: Connection, order: ErasureOrder) -> bool:
        try:
            key = self._keyring.find_subject(conn, order.org_id, order.lookup)
        except KeyUnavailableError:
            # What this key sealed opens for nobody.
            return False
        return key is not None and key_tag(key) == order.tag

    def _look(self, conn: Connection, order: ErasureOrder) -> Traces | None:
        key = self._keyring.find_subject(conn, order.org_id, order.lookup)
        return None if key is None else find_traces(conn, order.org_id, key.id)

    def _carry_out(self, order: ErasureOrder, seen: Traces | None) -> bool:
        """Erase in one transaction; return whether there was anything to do. An order with a tag is noted."""
        with self._database.write("records.erase") as conn:
            lock_counter(conn)
            if order.tag == _NO_TAG and self._is_known(conn, order):
                return False
            key = self._keyring.find_subject(conn, order.org_id, order.lookup)
            if key is None or order.tag not in {_NO_TAG, key_tag(key)}:
                if order.tag == _NO_TAG:
                    raise UnknownSubjectError
                return False
            traces = find_traces(conn, order.org_id, key.id, seen=seen)
            if not traces.records and order.tag == _NO_TAG:
                # A key that never came to seal anything: made for a stream whose rows were all refused.
                raise UnknownSubjectError
            self._destroy(conn, order, key, traces)
        return True

    def _is_known(self, conn: Connection, order: ErasureOrder) -> bool:
        used = select(idempotency_keys.c.fingerprint).where(
            idempotency_keys.c.org_id == order.org_id, idempotency_keys.c.key == order.request
        )
        fingerprint = conn.execute(used.limit(1)).scalar()
        if fingerprint is not None and not compare_digest(bytes(fingerprint), order.fingerprint):
            raise IdempotencyConflictError
        return fingerprint is not None

    def _destroy(self, conn: Connection, order: ErasureOrder, key: SubjectKey, traces: Traces) -> None:
        lock_logs(conn, traces.records)
        targets: defaultdict[str, list[Pointer]] = defaultdict(list)
        logs: dict[str, LogRow] = {}
        for log, pointer in find_places(conn, traces.records).values():
            log.check_kind(ERASURE.name)
            logs[log.origin] = log
            targets[log.origin].append(pointer)
        if order.tag == _NO_TAG:
            # Before the commit: should it be lost, the next start carries the order out.
            self._register.append(_tagged(order, key))
        destroy_traces(conn, order.org_id, traces)
        self._keyring.erase(conn, key.id)
        self._accept_entries(conn, order, logs, targets)

    def _accept_entries(
        self,
        conn: Connection,
        order: ErasureOrder,
        logs: Mapping[str, LogRow],
        targets: Mapping[str, list[Pointer]],
    ) -> None:
        org = self._keyring.existing_org_key(conn, order.org_id)
        now = self._clock.now().replace(microsecond=0)
        unrecoverable = format_time(now + self._backup_period)
        prepared = []
        for line, origin in enumerate(sorted(logs)):
            pointers = sorted(targets[origin], key=lambda each: each.index)
            payload = describe_erasure(pointers, reason=order.reason, unrecoverable=unrecoverable)
            parsed = parse_erasure(payload, now)
            maker = RecordMaker(
                ERASURE,
                target=logs[origin].target,
                keys=WriterKeys(org.index_key, org.fingerprint_key),
                accepted=now,
                entropy=self._entropy,
            )
            made, _ = maker.make(
                parsed,
                encode_values(parsed),
                sealing=SealingKey(org.id, org.generation, org.key),
                token=WriteToken(order.request, line, order.fingerprint),
            )
            prepared.append(made)
        for outcome in self._intake.accept_within(conn, prepared):
            if isinstance(outcome, Rejected):
                raise outcome.error

    def _read(self, conn: Connection, order: ErasureOrder, *, repeated: bool) -> Erasure:
        """What the entries under this request say; their targets are only counted."""
        used = select(idempotency_keys.c.record).where(
            idempotency_keys.c.org_id == order.org_id, idempotency_keys.c.key == order.request
        )
        numbers = list(conn.execute(used.order_by(idempotency_keys.c.line)).scalars())
        if not numbers:
            raise UnknownRecordError
        places = find_places(conn, numbers)
        count = 0
        for number in numbers:
            stored = select(log_entries.c.entry).where(log_entries.c.record == number)
            entry = parse_entry(waiting_entry(conn, number) or conn.execute(stored).scalar_one())
            row = record_of_number(conn, number)
            values = open_record(conn, self._keyring, row, claim=entry.claim, schema=ERASURE.schema).values
            count += len(read_targets(values))
        return Erasure(
            org=entry.claim.org,
            reason=str(entry.claim.public["reason"]),
            erased=entry.accepted,
            unrecoverable=read_unrecoverable(values),
            records=count,
            entries=tuple(sorted((places[each][1] for each in numbers), key=lambda each: each.log)),
            repeated=repeated,
        )


def _tagged(order: ErasureOrder, key: SubjectKey) -> ErasureOrder:
    return ErasureOrder(
        order.org_id, order.lookup, key_tag(key), order.reason, order.request, order.fingerprint
    )
