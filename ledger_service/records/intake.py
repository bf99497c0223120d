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

import orjson
from sqlalchemy.exc import IntegrityError

from ledger_service.errors import (
    IdempotencyConflictError,
    KeyUnavailableError,
    LedgerError,
    StorageBusyError,
    StorageError,
)
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.types import RecordId
from ledger_service.records.idempotency import find_known
from ledger_service.records.outcomes import Acceptable, Accepted, Outcome, Rejected, Replayed
from ledger_service.records.pointing import PointedRecords
from ledger_service.records.preparation import (
    ERASED_FINGERPRINT,
    IdempotencyKey,
    LogTarget,
    Prepared,
    RecordMaker,
    SealingKey,
    WriterKeys,
    WriteToken,
    encode_values,
    fingerprint,
    hash_key,
)
from ledger_service.records.storing import Made, lock_counter, store_records
from ledger_service.records.tables import records
from ledger_service.storage.metadata import from_instant
from ledger_service.storage.rows import select_matching
from ledger_service.vault.tables import ERASED, vault_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.proofs.entry import Pointer
    from ledger_service.records.kinds import Kind, ParsedRecord
    from ledger_service.records.pointing import PointingRules
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring, OrgKey, SubjectKey

_MOST_RACES: Final = 5


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid record that somebody wants kept.

    `explained_by` is the correction through which it takes the place of an earlier record: both are accepted
    or neither, the correction first.
    """

    target: LogTarget
    kind: Kind
    parsed: ParsedRecord
    key: IdempotencyKey | None = None
    explained_by: tuple[Kind, ParsedRecord] | None = None

    @property
    def points(self) -> bool:
        """Whether it points at an earlier record."""
        return self.parsed.points_at is not None or self.explained_by is not None


class Intake:
    """Accepts records. It holds no state: what it knows is in the database."""

    __slots__ = ("_clock", "_database", "_entropy", "_keyring", "_rules")

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        clock: Clock,
        rules: PointingRules,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Store in `database`, seal under the keys of `keyring`, draw ids and salts from `entropy`.

        `rules` resolve what records point at.
        """
        self._rules = rules
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

    def preview(self, batch: Sequence[Submission | Prepared]) -> list[Acceptable | Replayed | Rejected]:
        """Say what `accept` would do with a batch now, and store nothing, not even a key."""
        with self._database.read() as conn:
            org_keys = self._existing_keys(conn, batch)
            decided, fresh = _decide(conn, batch, [_token_of(item, org_keys) for item in batch])
            fates = {at: fate for at, fate in decided.items() if isinstance(fate, Replayed | Rejected)}
            pointed = PointedRecords(conn, self._rules)
            accepted = self._clock.now().replace(microsecond=0)
            for position in fresh:
                item = batch[position]
                if isinstance(item, Prepared) or item.parsed.points_at is None:
                    continue
                try:
                    pointed.apply(
                        item.kind,
                        pointed.bind(item.kind, item.parsed, log=item.target, accepted=accepted),
                    )
                except StorageError:
                    raise
                except LedgerError as error:
                    fates[position] = Rejected(error)
        return [fates.get(position, Acceptable()) for position in range(len(batch))]

    def known_writer_keys(self, org_id: int) -> WriterKeys | None:
        """The keys of an organization's references and bodies, or None while it has none."""
        with self._database.read() as conn:
            try:
                return _writer_keys(self._keyring.existing_org_key(conn, org_id))
            except KeyUnavailableError:
                return None

    def _existing_keys(self, conn: Connection, batch: Sequence[Submission | Prepared]) -> dict[int, OrgKey]:
        orgs = {item.target.org_id for item in batch if isinstance(item, Submission)}
        return {org_id: self._keyring.existing_org_key(conn, org_id) for org_id in sorted(orgs)}

    def writer_keys(
        self, conn: Connection, target: LogTarget, subjects: Iterable[str]
    ) -> tuple[WriterKeys, SealingKey, dict[str, SealingKey]]:
        """Find or make the keys that preparing records takes: the organization's and one for each subject."""
        org = self._keyring.org_key(conn, target.org_id)
        found = self._keyring.subject_keys(conn, target.org_id, subjects)
        return _writer_keys(org), _sealing_key(org), {name: _sealing_key(key) for name, key in found.items()}

    def _accept(self, conn: Connection, batch: Sequence[Submission | Prepared]) -> list[Outcome]:
        lock_counter(conn)
        submissions = [item for item in batch if isinstance(item, Submission)]
        orgs = {item.target.org_id for item in submissions}
        org_keys = {org_id: self._keyring.org_key(conn, org_id) for org_id in sorted(orgs)}
        tokens = [_token_of(item, org_keys) for item in batch]
        decided, fresh = _decide(conn, batch, tokens)
        making = _Making(self._clock.now().replace(microsecond=0), org_keys, self._entropy)
        making.subject_keys = self._subject_keys(conn, [batch[position] for position in fresh])
        making.pointed = PointedRecords(conn, self._rules)
        made = _make(conn, batch, tokens, fresh, making)
        stored = store_records(conn, made)
        outcomes: list[Outcome] = []
        for position in range(len(batch)):
            earlier = decided.get(position, position)
            if isinstance(earlier, Replayed | Rejected):
                outcomes.append(earlier)
            elif earlier in stored:
                outcomes.append(stored[earlier] if earlier == position else _again(stored[earlier]))
            else:
                outcomes.append(making.rejected[earlier])
        return outcomes

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


class _Making:
    """Makes the records of one batch, which share time and keys. Why one was not made stands in `rejected`."""

    def __init__(
        self, accepted: datetime, org_keys: Mapping[int, OrgKey], entropy: Callable[[int], bytes]
    ) -> None:
        self._accepted = accepted
        self._org_keys = org_keys
        self._entropy = entropy
        self._makers: dict[tuple[int, str], RecordMaker] = {}
        self.subject_keys: Mapping[tuple[int, str], SubjectKey] = {}
        self.pointed: PointedRecords
        self.rejected: dict[int, Rejected] = {}

    def make(self, item: Submission, token: WriteToken | None) -> list[Made]:
        """The record, after the correction that explains it; raises LedgerError that rejects both."""
        kind, log = item.kind, item.target
        if item.explained_by is not None:
            explaining, said = item.explained_by
            corrected = self.pointed.bind(explaining, said, log=log, accepted=self._accepted)
            bond = self.pointed.replace(kind, item.parsed, bond=corrected, accepted=self._accepted)
            correction = self._one(log, explaining, corrected.parsed, token=None, target=corrected.pointer)
            record = self._one(log, kind, item.parsed, token=token, previous=bond.pointer)
            self.pointed.apply(explaining, corrected)
            return [correction._replace(bond=corrected), record._replace(bond=bond)]
        if item.parsed.points_at is None:
            return [self._one(log, kind, item.parsed, token=token)]
        bond = self.pointed.bind(kind, item.parsed, log=log, accepted=self._accepted)
        assert kind.pointing is not None
        pointers: dict[str, Pointer] = {kind.pointing.role: bond.pointer}
        record = self._one(log, kind, bond.parsed, token=token, sealing=bond.sealing, **pointers)
        self.pointed.apply(kind, bond)
        return [record._replace(bond=bond)]

    def _one(
        self,
        log: LogTarget,
        kind: Kind,
        parsed: ParsedRecord,
        *,
        token: WriteToken | None,
        sealing: SealingKey | None = None,
        target: Pointer | None = None,
        previous: Pointer | None = None,
    ) -> Made:
        org = self._org_keys[log.org_id]
        maker = self._makers.get((log.log_id, kind.name))
        if maker is None:
            maker = RecordMaker(
                kind, target=log, keys=_writer_keys(org), accepted=self._accepted, entropy=self._entropy
            )
            self._makers[log.log_id, kind.name] = maker
        if sealing is None:
            subject = parsed.subject
            sealing = _sealing_key(org if subject is None else self.subject_keys[log.org_id, subject])
        values = encode_values(parsed)
        return Made(
            *maker.make(parsed, values, sealing=sealing, token=token, target=target, previous=previous)
        )


def _make(
    conn: Connection,
    batch: Sequence[Submission | Prepared],
    tokens: Sequence[WriteToken | None],
    fresh: Sequence[int],
    making: _Making,
) -> dict[int, Made]:
    """Prepare what is not prepared yet, by its position; what explains another comes before it.

    A record whose subject was erased meanwhile is rejected, and so is one that its kind's rules do not allow.
    """
    gone = _erased_keys(conn, [batch[position] for position in fresh])
    made: dict[int, Made] = {}
    for position in fresh:
        item = batch[position]
        if isinstance(item, Prepared):
            if item.key_id in gone:
                making.rejected[position] = Rejected(KeyUnavailableError())
            else:
                made[position] = Made(item)
            continue
        try:
            *explaining, made_now = making.make(item, tokens[position])
        except StorageError:
            raise
        except LedgerError as error:
            making.rejected[position] = Rejected(error)
            continue
        # Positions beyond the batch: nobody waits for what explains another, but it is stored before it.
        made |= {len(batch) + position: each for each in explaining}
        made[position] = made_now
    return made


def _token_of(item: Submission | Prepared, org_keys: Mapping[int, OrgKey]) -> WriteToken | None:
    if isinstance(item, Prepared):
        return item.token
    if item.key is None:
        return None
    keys = _writer_keys(org_keys[item.target.org_id])
    values = encode_values(item.parsed)
    more: tuple[bytes, ...] = ()
    if item.explained_by is not None:
        kind, said = item.explained_by
        public = orjson.dumps(said.public, option=orjson.OPT_SORT_KEYS)
        more = (kind.name.encode(), str(said.points_at).encode(), public)
    body = fingerprint(item.parsed, values, kind=item.kind, target=item.target, keys=keys, more=more)
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


def _again(original: Accepted) -> Replayed:
    return Replayed(original.record, original.id, original.log_id, original.accepted)


def _writer_keys(org: OrgKey) -> WriterKeys:
    return WriterKeys(org.index_key, org.fingerprint_key)


def _sealing_key(key: SubjectKey | OrgKey) -> SealingKey:
    return SealingKey(key.id, key.generation, key.key)
