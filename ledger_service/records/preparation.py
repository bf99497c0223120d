"""What a new record needs no database for: commitment, entry, sealing. It may run in another process."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from ledger_service.proofs.canonical import JsonValue, encode_base64url
from ledger_service.proofs.entry import Claim, Entry, format_entry
from ledger_service.proofs.fields import SALT_SIZE, commit_fields
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.types import Origin, RecordId
from ledger_service.storage.metadata import to_instant
from ledger_service.vault.blind_index import blind_index
from ledger_service.vault.envelope import SALT_BYTES, SealContext, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger_service.records.kinds import Kind, ParsedRecord

ID_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 16
_FINGERPRINT_LABEL: Final = b"audit-ledger/idempotency/v1\x00"


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


def hash_key(key: str, *, keys: WriterKeys) -> bytes:
    """The keyed hash of an idempotency key."""
    return blind_index(keys.index_key, "idempotency", key)


def fingerprint(kind: Kind, parsed: ParsedRecord, *, target: LogTarget, keys: WriterKeys) -> bytes:
    """The keyed hash of what is to be recorded, by which a repeated body is known.

    Orjson with sorted keys writes canonical JSON for everything that a kind lets through (a test
    compares them).
    """
    body = orjson.dumps(
        [target.origin, kind.name, parsed.private, parsed.public], option=orjson.OPT_SORT_KEYS
    )
    return hmac_digest(keys.fingerprint_key, _FINGERPRINT_LABEL + body, "sha256")[:FINGERPRINT_BYTES]


def prepare(
    kind: Kind,
    parsed: ParsedRecord,
    *,
    target: LogTarget,
    keys: WriterKeys,
    sealing: SealingKey,
    accepted: datetime,
    token: WriteToken | None,
    entropy: Callable[[int], bytes] = os.urandom,
) -> tuple[Prepared, Opening | None]:
    """Commit to the private fields, build the entry and seal the payload. `accepted` is of whole seconds.

    Raises MalformedError for an entry that would be too large.
    """
    rid = entropy(ID_BYTES)
    record_id = RecordId(encode_base64url(rid))
    opening = commitment = None
    if kind.schema.private:
        opening = Opening(entropy(SALT_SIZE), parsed.private)
        commitment = commit_fields(
            parsed.private, salt=opening.salt, schema=kind.schema, log=target.origin, id=record_id
        )
    claim = Claim(
        log=target.origin,
        org=target.org,
        kind=kind.name,
        schema=kind.schema.hash,
        id=record_id,
        commitment=commitment,
        target=None,
        previous=None,
        tags=(),
        public=parsed.public,
    )
    entry = format_entry(Entry(claim, accepted))
    salt = sealed = None
    if opening is not None:
        salt = entropy(SALT_BYTES)
        context = SealContext(target.origin, record_id, kind.name, sealing.generation, commitment)
        sealed = seal(sealing.key, format_opening(opening), salt=salt, context=context, entropy=entropy)
    prepared = Prepared(
        rid,
        target.org_id,
        target.log_id,
        kind.name,
        to_instant(accepted),
        None if parsed.reference is None else blind_index(keys.index_key, "reference", parsed.reference),
        None if opening is None else sealing.id,
        sealing.generation,
        salt,
        sealed,
        leaf_hash(entry),
        entry,
        token,
    )
    return prepared, opening


def format_opening(opening: Opening) -> bytes:
    """The plaintext of a sealed payload: canonical `{"salt":…,"values":…}`."""
    return orjson.dumps(
        {"salt": encode_base64url(opening.salt), "values": opening.values}, option=orjson.OPT_SORT_KEYS
    )
