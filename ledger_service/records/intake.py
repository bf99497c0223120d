"""Accepting records: one transaction makes a batch durable, and each writer learns what became of its own.

The transaction holds, for each new record: its row, its sealed payload, the salt of its key in a row of
its own, its idempotency key, and its entry in the outbox. A crash before its commit leaves nothing, a
crash after it everything; only afterwards does anybody hear of the record.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger_service.errors import (
    IdempotencyConflictError,
    KeyUnavailableError,
    MalformedError,
    StorageBusyError,
)
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.types import LeafHash, RecordId
from ledger_service.records.idempotency import find_known, store_tokens
from ledger_service.records.outcomes import Accepted, Outcome, Rejected, Replayed
from ledger_service.records.preparation import (
    ERASED_FINGERPRINT,
    IdempotencyKey,
    LogTarget,
    Opening,
    Prepared,
    RecordMaker,
    SealingKey,
    WriterKeys,
    WriteToken,
    encode_values,
    fingerprint,
    hash_key,
)
from ledger_service.records.tables import outbox, record_counter, record_salts, records, sealed_payloads
from ledger_service.storage.metadata import from_instant
from ledger_service.storage.rows import insert_rows, select_matching
from ledger_service.vault.tables import ERASED, vault_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.records.kinds import Kind, ParsedRecord
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring, OrgKey, SubjectKey

_RECORD: Final = ("id", "rid", "org_id", "log_id", "kind", "accepted", "reference", "key_id")
_OUTBOX: Final = ("record", "log_id", "leaf", "entry")
_COUNTER: Final = 1
_MOST_RACES: Final = 5


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid record that somebody wants kept."""

    target: LogTarget
    kind: Kind
    parsed: ParsedRecord
    key: IdempotencyKey | None = None


class Intake:
    """Accepts records. It holds no state: what it knows is in the database."""

    __slots__ = ("_clock", "_database", "_entropy", "_keyring")

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Store in `database`, seal under the keys of `keyring`, draw ids and salts from `entropy`."""
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._entropy = entropy

    def accept(self, batch: Sequence[Submission | Prepared]) -> list[Outcome]:
        """Make the new records of the batch durable in one transaction; say what became of each item.

        An item whose idempotency key is known, or stands earlier in the batch, is replayed if its body
        is the same and rejected if it is not. Raises StorageError: all of the batch is stored or
        nothing, and after StorageFatalError nobody knows which.
        """
        for _ in range(_MOST_RACES):
            try:
                with self._database.write("records.accept") as conn:
                    return self._accept(conn, batch)
            except IntegrityError:
                # Another process has just used one of our keys. Its record is known on the next look.
                continue
        raise StorageBusyError

    def accept_within(self, conn: Connection, batch: Sequence[Submission | Prepared]) -> list[Outcome]:
        """Do the same inside the caller's transaction, which makes it durable."""
        return self._accept(conn, batch)

    def writer_keys(
        self, conn: Connection, target: LogTarget, subjects: Iterable[str]
    ) -> tuple[WriterKeys, SealingKey, dict[str, SealingKey]]:
        """Find or make the keys that preparing records takes: the organization's and one for each subject."""
        org = self._keyring.org_key(conn, target.org_id)
        found = self._keyring.subject_keys(conn, target.org_id, subjects)
        return _writer_keys(org), _sealing_key(org), {name: _sealing_key(key) for name, key in found.items()}

    def _accept(self, conn: Connection, batch: Sequence[Submission | Prepared]) -> list[Outcome]:
        lock_counter(conn)
        orgs = {item.target.org_id for item in batch if isinstance(item, Submission)}
        org_keys = {org_id: self._keyring.org_key(conn, org_id) for org_id in sorted(orgs)}
        tokens = [_token_of(item, org_keys) for item in batch]
        decided, fresh = _decide(conn, batch, tokens)
        made = self._make(conn, batch, tokens, fresh, org_keys)
        stored = _store(conn, {position: item for position, item in made.items() if isinstance(item, tuple)})
        outcomes: list[Outcome] = []
        for position in range(len(batch)):
            earlier = decided.get(position, position)
            if isinstance(earlier, Replayed | Rejected):
                outcomes.append(earlier)
            elif earlier in stored:
                outcomes.append(stored[earlier] if earlier == position else _again(stored[earlier]))
            else:
                outcomes.append(cast("Rejected", made[earlier]))
        return outcomes

    def _make(
        self,
        conn: Connection,
        batch: Sequence[Submission | Prepared],
        tokens: Sequence[WriteToken | None],
        fresh: Sequence[int],
        org_keys: Mapping[int, OrgKey],
    ) -> dict[int, tuple[Prepared, Opening | None] | Rejected]:
        """Prepare what is not prepared yet. A record whose subject was erased meanwhile is rejected."""
        subject_keys = self._subject_keys(conn, [batch[position] for position in fresh])
        gone = _erased_keys(conn, [batch[position] for position in fresh])
        accepted = self._clock.now().replace(microsecond=0)
        makers: dict[tuple[int, str], RecordMaker] = {}
        made: dict[int, tuple[Prepared, Opening | None] | Rejected] = {}
        for position in fresh:
            item = batch[position]
            if isinstance(item, Prepared):
                made[position] = Rejected(KeyUnavailableError()) if item.key_id in gone else (item, None)
                continue
            target, kind, parsed = item.target, item.kind, item.parsed
            org = org_keys[target.org_id]
            maker = makers.get((target.log_id, kind.name))
            if maker is None:
                maker = RecordMaker(
                    kind, target=target, keys=_writer_keys(org), accepted=accepted, entropy=self._entropy
                )
                makers[target.log_id, kind.name] = maker
            key = org if parsed.subject is None else subject_keys[target.org_id, parsed.subject]
            try:
                made[position] = maker.make(
                    parsed, encode_values(parsed), sealing=_sealing_key(key), token=tokens[position]
                )
            except MalformedError as error:
                made[position] = Rejected(error)
        return made

    def _subject_keys(
        self, conn: Connection, items: Iterable[Submission | Prepared]
    ) -> dict[tuple[int, str], SubjectKey]:
        subjects: defaultdict[int, set[str]] = defaultdict(set)
        for item in items:
            if isinstance(item, Submission) and item.parsed.subject is not None:
                subjects[item.target.org_id].add(item.parsed.subject)
        return {
            (org_id, subject): key
            for org_id, names in subjects.items()
            for subject, key in self._keyring.subject_keys(conn, org_id, names).items()
        }


def _token_of(item: Submission | Prepared, org_keys: Mapping[int, OrgKey]) -> WriteToken | None:
    if isinstance(item, Prepared):
        return item.token
    if item.key is None:
        return None
    keys = _writer_keys(org_keys[item.target.org_id])
    values = encode_values(item.parsed)
    body = fingerprint(item.parsed, values, kind=item.kind, target=item.target, keys=keys)
    return WriteToken(hash_key(item.key.text, keys=keys), item.key.line, body)


def _decide(
    conn: Connection, batch: Sequence[Submission | Prepared], tokens: Sequence[WriteToken | None]
) -> tuple[dict[int, Replayed | Rejected | int], list[int]]:
    """Return the fate of items that are not new (a twin: its position), and the positions of the others."""
    org_ids = [item.org_id if isinstance(item, Prepared) else item.target.org_id for item in batch]
    pairs = [(org_id, token) for org_id, token in zip(org_ids, tokens, strict=True) if token is not None]
    known = find_known(conn, pairs)
    originals = _find_originals(conn, {write.record for write in known.values()})
    first: dict[tuple[int, bytes, int], int] = {}
    decided: dict[int, Replayed | Rejected | int] = {}
    fresh: list[int] = []
    for position, (org_id, token) in enumerate(zip(org_ids, tokens, strict=True)):
        if token is None:
            fresh.append(position)
            continue
        place = (org_id, token.key, token.line)
        if (write := known.get(place)) is not None:
            # After an erasure nobody can tell whether the body is the same: the writer gets the first answer.
            same = write.fingerprint == ERASED_FINGERPRINT or compare_digest(
                write.fingerprint, token.fingerprint
            )
            decided[position] = originals[write.record] if same else Rejected(IdempotencyConflictError())
        elif (earlier := first.setdefault(place, position)) == position:
            fresh.append(position)
        else:
            twin = cast("WriteToken", tokens[earlier])
            same = compare_digest(twin.fingerprint, token.fingerprint)
            decided[position] = earlier if same else Rejected(IdempotencyConflictError())
    return decided, fresh


def _find_originals(conn: Connection, numbers: set[int]) -> dict[int, Replayed]:
    rows = select_matching(
        conn, records, ("id", "rid", "log_id", "accepted"), equal={}, among=("id", sorted(numbers))
    )
    return {
        number: Replayed(number, RecordId(encode_base64url(bytes(rid))), log_id, from_instant(accepted))
        for number, rid, log_id, accepted in rows
    }


def _erased_keys(conn: Connection, items: Iterable[Submission | Prepared]) -> set[int]:
    """Keys of prepared records that are gone: made or found a moment ago in a transaction of its own."""
    wanted = {item.key_id for item in items if isinstance(item, Prepared) and item.key_id is not None}
    there = select_matching(conn, vault_keys, ("id", "kek_generation"), equal={}, among=("id", wanted))
    return wanted - {number for number, kek_generation in there if kek_generation != ERASED}


def _store(conn: Connection, made: Mapping[int, tuple[Prepared, Opening | None]]) -> dict[int, Accepted]:
    if not made:
        return {}
    first = _take_numbers(conn, len(made))
    numbered = list(enumerate(made.values(), first))
    insert_rows(
        conn,
        records,
        _RECORD,
        [(n, r.rid, r.org_id, r.log_id, r.kind, r.accepted, r.reference, r.key_id) for n, (r, _) in numbered],
    )
    insert_rows(conn, record_salts, ("record", "salt"), [(n, r.salt) for n, (r, _) in numbered if r.salt])
    insert_rows(
        conn,
        sealed_payloads,
        ("record", "generation", "sealed"),
        [(n, r.generation, r.sealed) for n, (r, _) in numbered if r.sealed],
    )
    store_tokens(
        conn,
        [(r.org_id, r.token.key, r.token.line, n, r.token.fingerprint) for n, (r, _) in numbered if r.token],
    )
    insert_rows(conn, outbox, _OUTBOX, [(n, r.log_id, r.leaf, r.entry) for n, (r, _) in numbered])
    return {
        position: Accepted(
            number,
            RecordId(encode_base64url(record.rid)),
            record.log_id,
            from_instant(record.accepted),
            LeafHash(record.leaf),
            record.entry,
            opening,
        )
        for position, (number, (record, opening)) in zip(made, numbered, strict=True)
    }


_TAKE: Final = (
    update(record_counter)
    .where(record_counter.c.id == bindparam("counter"))
    .values(last=record_counter.c.last + bindparam("count"))
    .returning(record_counter.c.last)
)


_LOCK: Final = select(record_counter.c.last).with_for_update()


def lock_counter(conn: Connection) -> None:
    """Let accepting and erasing take turns, on PostgreSQL as on SQLite, where writers do so anyway.

    Otherwise a record could be sealed under a key, and stored, while that key is being erased.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(_LOCK)


def _take_numbers(conn: Connection, count: int) -> int:
    """Return the first of `count` new numbers. The counter's row stays locked until the commit."""
    last: int | None = conn.execute(_TAKE, {"counter": _COUNTER, "count": count}).scalar()
    if last is None:
        last = count
        conn.execute(insert(record_counter).values(id=_COUNTER, last=last))
    return last - count + 1


def _again(original: Accepted) -> Replayed:
    return Replayed(original.record, original.id, original.log_id, original.accepted)


def _writer_keys(org: OrgKey) -> WriterKeys:
    return WriterKeys(org.index_key, org.fingerprint_key)


def _sealing_key(key: SubjectKey | OrgKey) -> SealingKey:
    return SealingKey(key.id, key.generation, key.key)
