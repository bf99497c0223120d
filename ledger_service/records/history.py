"""What is known of a record by its id, and its contents for those who may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import bindparam, select

from ledger_service.errors import MalformedError, PayloadMissingError, SealError, UnknownRecordError
from ledger_service.proofs.canonical import decode, decode_base64url, encode_base64url
from ledger_service.proofs.fields import SALT_SIZE, commit_fields
from ledger_service.proofs.shapes import bytes_of, object_of
from ledger_service.proofs.types import RecordId
from ledger_service.records.preparation import Opening
from ledger_service.records.tables import outbox, record_salts, records, sealed_payloads
from ledger_service.storage.metadata import from_instant
from ledger_service.vault.envelope import SealContext, open_

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from ledger_service.proofs.entry import Claim
    from ledger_service.proofs.schema import Schema
    from ledger_service.vault.keyring import Keyring


# Built once: building a statement costs as much as running it.
_RECORD_OF_ID: Final = select(records).where(records.c.rid == bindparam("rid"))
_RECORD_OF_NUMBER: Final = select(records).where(records.c.id == bindparam("record"))
_WAITING_ENTRY: Final = select(outbox.c.entry).where(outbox.c.record == bindparam("record"))
_SEALED: Final = (
    select(sealed_payloads.c.sealed, sealed_payloads.c.generation, record_salts.c.salt)
    .join(record_salts, record_salts.c.record == sealed_payloads.c.record)
    .where(sealed_payloads.c.record == bindparam("record"))
)


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as it was accepted. `record` is its number here, `key_id` the key of its payload."""

    record: int
    id: RecordId
    org_id: int
    log_id: int
    kind: str
    accepted: datetime
    key_id: int | None


def find_record(conn: Connection, record_id: str) -> RecordRow:
    """The record of this public id; raises UnknownRecordError, also for text that is no id."""
    try:
        rid = decode_base64url(record_id)
    except MalformedError:
        raise UnknownRecordError from None
    row = conn.execute(_RECORD_OF_ID, {"rid": rid}).first()
    if row is None:
        raise UnknownRecordError
    return _record_row(row)


def record_of_number(conn: Connection, record: int) -> RecordRow:
    """The record of this number; raises UnknownRecordError."""
    row = conn.execute(_RECORD_OF_NUMBER, {"record": record}).first()
    if row is None:
        raise UnknownRecordError
    return _record_row(row)


def waiting_entry(conn: Connection, record: int) -> bytes | None:
    """The entry of a record that waits in the outbox, or None when it has left it."""
    entry: bytes | None = conn.execute(_WAITING_ENTRY, {"record": record}).scalar()
    return entry


def open_record(
    conn: Connection, keyring: Keyring, row: RecordRow, *, claim: Claim, schema: Schema
) -> Opening:
    """Unseal a record's payload and show that it is what the entry commits to.

    Raises PayloadMissingError when payload or salt are gone, KeyUnavailableError when the key is, and
    SealError when what is stored is not what was sealed for this record.
    """
    stored = conn.execute(_SEALED, {"record": row.record}).first()
    if stored is None or row.key_id is None:
        raise PayloadMissingError
    key = keyring.key_of(conn, row.key_id)
    return unseal(
        key.key, stored.sealed, salt=stored.salt, generation=stored.generation, claim=claim, schema=schema
    )


def unseal(
    key: bytes, sealed: bytes, *, salt: bytes, generation: int, claim: Claim, schema: Schema
) -> Opening:
    """The opening inside a sealed payload, once its commitment is that of the claim; raises SealError."""
    context = SealContext(claim.log, claim.id, claim.kind, generation, claim.commitment)
    opening = parse_opening(open_(key, sealed, salt=salt, context=context))
    try:
        commitment = commit_fields(
            opening.values, salt=opening.salt, schema=schema, log=claim.log, id=claim.id
        )
    except MalformedError as error:
        raise SealError("A payload does not fit its schema.") from error
    if commitment != claim.commitment:
        raise SealError("A payload is not the one that its entry commits to.")
    return opening


def parse_opening(plaintext: bytes) -> Opening:
    """The opening that `format_opening` writes as `plaintext`; raises SealError."""
    try:
        members = object_of(decode(plaintext), ("salt", "values"), what="The payload")
        salt = bytes_of(members["salt"], what="The salt", size=SALT_SIZE)
    except MalformedError as error:
        raise SealError("A payload is not in its format.") from error
    if not isinstance(members["values"], dict):
        raise SealError("A payload is not in its format.")
    return Opening(salt, members["values"])


def _record_row(row: Row[Any]) -> RecordRow:
    return RecordRow(
        record=row.id,
        id=RecordId(encode_base64url(bytes(row.rid))),
        org_id=row.org_id,
        log_id=row.log_id,
        kind=row.kind,
        accepted=from_instant(row.accepted),
        key_id=cast("int | None", row.key_id),
    )
