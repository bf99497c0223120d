"""What a new record needs no database for: commitment, entry, sealing. It may run in another process."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from ledger_service.proofs.canonical import JsonValue, encode_base64url, format_time
from ledger_service.proofs.entry import Entry, format_entry
from ledger_service.proofs.fields import SALT_SIZE, commit_texts
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.types import Origin, RecordId
from ledger_service.records.entry_template import EntryTemplate, make_claim
from ledger_service.storage.metadata import to_instant
from ledger_service.vault.blind_index import blind_index
from ledger_service.vault.envelope import SALT_BYTES, SealContext, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger_service.proofs.entry import Pointer
    from ledger_service.records.kinds import Kind, ParsedRecord

ID_BYTES: Final = 16
# The value that base64url writes as a hyphen (RFC 4648, table 2).
_HYPHEN: Final = 62
FINGERPRINT_BYTES: Final = 16
# What stands in place of a fingerprint whose subject was erased: no body has it, and any is taken for the same.
ERASED_FINGERPRINT: Final = bytes(FINGERPRINT_BYTES)
_FINGERPRINT_LABEL: Final = b"audit-ledger/idempotency/v1"
_dumps: Final = orjson.dumps
_SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class LogTarget:
    """The log that a record is for: its number and name, its organization's number and name."""

    log_id: int
    origin: Origin
    org_id: int
    org: str


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A writer's name for one write, to repeat it by. `line` numbers the rows of a bulk request."""

    text: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key that a payload is sealed under, of its data subject or of the organization."""

    id: int
    generation: int
    key: bytes = field(repr=False)

    def __reduce__(self) -> tuple[type[SealingKey], tuple[int, int, bytes]]:
        """Travel to a worker by the thousand: the way of slotted dataclasses takes five times as long."""
        return SealingKey, (self.id, self.generation, self.key)


@dataclass(frozen=True, slots=True)
class WriterKeys:
    """Keys of an organization that every record of it needs: for references, and for bodies seen before."""

    index_key: bytes = field(repr=False)
    fingerprint_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a record's commitment: its salt and its private fields. Only writer and vault have it."""

    salt: bytes = field(repr=False)
    values: dict[str, JsonValue] = field(repr=False)


class WriteToken(NamedTuple):
    """An idempotency key and its body, both as keyed hashes."""

    key: bytes
    line: int
    fingerprint: bytes


class Prepared(NamedTuple):
    """A record that lacks only its number, in bytes and numbers that travel between processes."""

    rid: bytes
    org_id: int
    log_id: int
    kind: str
    accepted: int
    reference: bytes | None
    key_id: int | None
    generation: int
    salt: bytes | None
    sealed: bytes | None
    leaf: bytes
    entry: bytes
    token: WriteToken | None


def draw_id(entropy: Callable[[int], bytes]) -> bytes:
    """Draw the 16 bytes of a new id, whose text does not begin with a hyphen: commands take that for an option."""
    while True:
        rid = entropy(ID_BYTES)
        if rid[0] >> 2 != _HYPHEN:
            return rid


def hash_key(key: str, *, keys: WriterKeys) -> bytes:
    """The keyed hash of an idempotency key."""
    return blind_index(keys.index_key, "idempotency", key)


def encode_values(parsed: ParsedRecord) -> bytes:
    """The private fields in canonical JSON, as they are sealed.

    Orjson with sorted keys writes it for everything that a kind lets through (a test compares them).
    """
    return _dumps(parsed.private, option=_SORTED)


def fingerprint(
    parsed: ParsedRecord,
    values: bytes,
    *,
    kind: Kind,
    target: LogTarget,
    keys: WriterKeys,
    more: tuple[bytes, ...] = (),
) -> bytes:
    """The keyed hash of what is to be recorded, by which a repeated body is known.

    `more` is what the body says beyond this record.
    """
    public = _dumps(parsed.public, option=_SORTED) if parsed.public else b"{}"
    # None of the parts can hold a zero byte, so no two bodies give the same text.
    about = () if parsed.points_at is None else (parsed.points_at.encode(),)
    body = b"\x00".join(
        (_FINGERPRINT_LABEL, target.origin.encode(), kind.name.encode(), values, public, *about, *more)
    )
    return hmac_digest(keys.fingerprint_key, body, "sha256")[:FINGERPRINT_BYTES]


class RecordMaker:
    """Makes records of one kind for one log, accepted at one time: what they share is worked out once."""

    __slots__ = ("_accepted", "_entropy", "_instant", "_keys", "_kind", "_target", "_template", "_time")

    def __init__(
        self,
        kind: Kind,
        *,
        target: LogTarget,
        keys: WriterKeys,
        accepted: datetime,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Draw ids and salts from `entropy`; `accepted` is of whole seconds."""
        self._kind = kind
        self._target = target
        self._keys = keys
        self._accepted = accepted
        self._instant = to_instant(accepted)
        self._time = format_time(accepted)
        self._entropy = entropy
        self._template: EntryTemplate | None = None

    def make(
        self,
        parsed: ParsedRecord,
        values: bytes,
        *,
        sealing: SealingKey,
        token: WriteToken | None,
        target: Pointer | None = None,
        previous: Pointer | None = None,
    ) -> tuple[Prepared, Opening | None]:
        """Commit to the private fields, build the entry with its pointers and seal the payload.

        `values` is what `encode_values` gives. Raises MalformedError for an entry that would be too large.
        """
        entropy = self._entropy
        rid = draw_id(entropy)
        record_id = RecordId(encode_base64url(rid))
        opening = commitment = salt = sealed = None
        if self._kind.schema.private:
            opening = Opening(entropy(SALT_SIZE), parsed.private)
            commitment = self._commit(opening, record_id)
            salt = entropy(SALT_BYTES)
            plaintext = _join_opening(opening.salt, values)
            context = SealContext(
                self._target.origin, record_id, self._kind.name, sealing.generation, commitment
            )
            sealed = seal(sealing.key, plaintext, salt=salt, context=context, entropy=entropy)
        entry = self._entry(parsed, record_id, commitment, target, previous)
        reference = parsed.reference
        prepared = Prepared(
            rid,
            self._target.org_id,
            self._target.log_id,
            self._kind.name,
            self._instant,
            None if reference is None else blind_index(self._keys.index_key, "reference", reference),
            None if opening is None else sealing.id,
            sealing.generation,
            salt,
            sealed,
            leaf_hash(entry),
            entry,
            token,
        )
        return prepared, opening

    def _commit(self, opening: Opening, record_id: RecordId) -> bytes:
        schema, log = self._kind.schema, self._target.origin
        # Orjson writes the canonical form of whatever a kind lets through, as in `encode_values`.
        texts = {name: _dumps(value, option=_SORTED) for name, value in opening.values.items()}
        return commit_texts(texts, salt=opening.salt, schema=schema, log=log, id=record_id)

    def _entry(
        self,
        parsed: ParsedRecord,
        record_id: RecordId,
        commitment: bytes | None,
        target: Pointer | None,
        previous: Pointer | None,
    ) -> bytes:
        if commitment is not None and not parsed.public and target is None and previous is None:
            if self._template is None:
                self._template = EntryTemplate(self._target.origin, self._target.org, self._kind)
            return self._template.format(record_id, commitment=commitment, accepted=self._time)
        claim = make_claim(
            self._target.origin,
            self._target.org,
            self._kind,
            record_id=record_id,
            commitment=commitment,
            public=parsed.public,
            target=target,
            previous=previous,
        )
        return format_entry(Entry(claim, self._accepted))


def format_opening(opening: Opening) -> bytes:
    """The plaintext of a sealed payload: canonical `{"salt":…,"values":…}`."""
    return _join_opening(opening.salt, _dumps(opening.values, option=_SORTED))


def _join_opening(salt: bytes, values: bytes) -> bytes:
    return b'{"salt":"%b","values":%b}' % (encode_base64url(salt).encode(), values)
