"""Records as outsiders and their owners get them: state, receipt, payload, evidence.

What belongs together comes from one snapshot of the database. Whether somebody may see a record is decided
here as well, so that what does not exist and what is another's give the same error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger_service.chain.status_store import MirroredChange, changes_of
from ledger_service.errors import (
    BadRequestError,
    CorruptLogError,
    NotFoundError,
    NotSequencedError,
    PayloadMissingError,
    UnknownRecordError,
)
from ledger_service.log.directory import log_of_number
from ledger_service.log.reader import LogView, view_log
from ledger_service.log.tables import log_entries
from ledger_service.proofs.entry import Entry, Pointer, parse_entry
from ledger_service.proofs.evidence import Evidence, format_evidence
from ledger_service.proofs.fields import disclose_fields
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.opening import OPENING_KIND, OPENING_SCHEMA
from ledger_service.proofs.receipt import Opening, Receipt, format_receipt
from ledger_service.proofs.status import ACTIVE, AsOf, StatusChange, StatusStatement
from ledger_service.proofs.tlog_proof import TlogProof
from ledger_service.records.history import RecordRow, find_record, open_record, waiting_entry
from ledger_service.verification.anchors import anchor_stage, anchored_size, anchors_at
from ledger_service.verification.relatives import Relatives, relatives_of
from ledger_service.verification.stages import ACCEPTED, SEQUENCED
from ledger_service.verification.status import StatusSigner, published_changes, state_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlalchemy import Connection

    from ledger_service.log.reader import PublishedCheckpoint
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, TreeSize
    from ledger_service.records.kinds import KindRegistry
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class RecordState:
    """A record without its contents: where it stands, how far it has come, and what contracts hold of it."""

    id: str
    log: Origin
    org: str
    kind: str
    stage: str
    status: str
    accepted: datetime
    index: LeafIndex | None
    leaf: LeafHash
    entry: bytes = field(repr=False)
    in_contracts: tuple[MirroredChange, ...] = ()


class Archive:
    """Reads records for those who may see them. Any number of threads may use one."""

    __slots__ = ("_database", "_keyring", "_kinds", "_schemas", "_status_signer")

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        kinds: KindRegistry,
        status_signer: Callable[[Origin, int], StatusSigner],
    ) -> None:
        """Read records of these `kinds` from `database`; `status_signer(origin, era)` signs their statuses."""
        self._database = database
        self._keyring = keyring
        self._kinds = kinds
        self._schemas = {kind.name: kind.schema for kind in kinds.all()} | {OPENING_KIND: OPENING_SCHEMA}
        self._status_signer = status_signer

    def state(self, record_id: str) -> RecordState:
        """How far a record has come, for anyone; raises NotFoundError."""
        with self._database.look() as conn:
            found = _Found.find(conn, record_id, org_id=None)
            entry, stage, index = found.place()
            changes = () if index is None else self._changes(found)
            return RecordState(
                id=found.row.id,
                log=found.view.log.origin,
                org=found.view.log.org,
                kind=found.row.kind,
                stage=stage,
                status=changes[-1].state if changes else ACTIVE,
                accepted=found.row.accepted,
                index=index,
                leaf=leaf_hash(entry),
                entry=entry,
                in_contracts=() if index is None else changes_of(conn, found.row.log_id, index),
            )

    def relatives(self, record_id: str) -> Relatives:
        """The published records that a record is tied to, for anyone; raises NotFoundError."""
        with self._database.read() as conn:
            found = _Found.find(conn, record_id, org_id=None)
            return relatives_of(conn, found.row.record, log_id=found.row.log_id, size=found.view.size)

    def receipt(self, record_id: str, *, org_id: int) -> bytes:
        """The receipt as its writer got it, for the record's organization.

        It holds the proof to the first checkpoint over the record, so it is the same at any time; after the
        payload is gone it comes without its opening. Raises NotFoundError, NotSequencedError,
        KeyUnavailableError.
        """
        with self._database.look() as conn:
            found = _Found.find(conn, record_id, org_id=org_id)
            index, data = found.published()
            opening = self._open(conn, found, parse_entry(data), missing_ok=True)
            proof = _proof(found.view, index, found.view.first_checkpoint_covering(index))
            return format_receipt(Receipt(data, self._schemas[found.row.kind], opening, proof))

    def payload(self, record_id: str, *, org_id: int) -> Mapping[str, JsonValue]:
        """The private fields of a record, for its organization.

        Raises NotFoundError, PayloadMissingError, KeyUnavailableError, SealError.
        """
        with self._database.look() as conn:
            found = _Found.find(conn, record_id, org_id=org_id)
            entry, _, _ = found.place()
            opening = self._open(conn, found, parse_entry(entry))
        return {} if opening is None else opening.values

    def evidence(self, record_id: str) -> bytes:
        """What anyone may have to check a record, nothing disclosed.

        Raises NotFoundError, NotSequencedError.
        """
        with self._database.look() as conn:
            return self._evidence(_Found.find(conn, record_id, org_id=None), fields=None)

    def disclosed_evidence(self, record_id: str, *, names: Collection[str] | None, org_id: int) -> bytes:
        """The evidence with private fields `names` (None: all) disclosed, for the record's organization.

        Raises NotFoundError, NotSequencedError, BadRequestError for a field that the kind does not have, and
        what `payload` raises.
        """
        with self._database.look() as conn:
            found = _Found.find(conn, record_id, org_id=org_id)
            schema = self._schemas[found.row.kind]
            wanted = schema.private if names is None else names
            if unknown := sorted(set(wanted) - set(schema.private)):
                raise BadRequestError(
                    "The kind has no such private field.", unknown=unknown, known=schema.private
                )
            _, data = found.published()
            opening = self._open(conn, found, parse_entry(data))
            fields: list[JsonValue] = []
            if opening is not None:
                fields = disclose_fields(opening.values, salt=opening.salt, schema=schema, names=wanted)
            return self._evidence(found, fields=fields)

    def _evidence(self, found: _Found, *, fields: list[JsonValue] | None) -> bytes:
        view = found.view
        index, data = found.published()
        # Proof and anchor state the same size and root: the smallest anchored size bounds the time best.
        size = anchored_size(found.conn, view.log.id, index)
        shown = view.checkpoint() if size is None else view.checkpoint_at(size)
        return format_evidence(
            Evidence(
                entry=data,
                schema=self._schemas[found.row.kind],
                fields=fields,
                proof=_proof(view, index, shown),
                anchors=() if size is None else anchors_at(found.conn, view.log.id, size),
                status=self._status(found, index, data),
            )
        )

    def _status(self, found: _Found, index: LeafIndex, data: bytes) -> StatusStatement:
        view = found.view
        newest = view.checkpoint()
        statement = state_statement(
            Pointer(view.log.origin, index, leaf_hash(data)),
            self._changes(found),
            accepted=parse_entry(data).accepted,
            known=_moment(view.first_checkpoint_covering(index).timestamp),
            as_of=AsOf(newest.size, newest.root, _moment(newest.timestamp)),
        )
        return self._status_signer(view.log.origin, view.log.era.number).sign(statement)

    def _changes(self, found: _Found) -> tuple[StatusChange, ...]:
        return published_changes(found.conn, found.view, found.row.record, kinds=self._kinds)

    def _open(
        self, conn: Connection, found: _Found, entry: Entry, *, missing_ok: bool = False
    ) -> Opening | None:
        schema = self._schemas[found.row.kind]
        if not schema.private:
            return None
        try:
            opened = open_record(conn, self._keyring, found.row, claim=entry.claim, schema=schema)
        except PayloadMissingError:
            if missing_ok:
                return None
            raise
        return Opening(opened.salt, opened.values)


@dataclass(frozen=True, slots=True)
class _Found:
    """A record and its log in one snapshot."""

    conn: Connection
    row: RecordRow
    view: LogView

    @classmethod
    def find(cls, conn: Connection, record_id: str, *, org_id: int | None) -> _Found:
        """The record of this id, and of this organization if one is given; raises the same NotFoundError."""
        try:
            row = find_record(conn, record_id)
        except UnknownRecordError:
            raise NotFoundError from None
        if org_id is not None and row.org_id != org_id:
            raise NotFoundError
        return cls(conn, row, view_log(conn, log_of_number(conn, row.log_id)))

    def place(self) -> tuple[bytes, str, LeafIndex | None]:
        """Entry, stage and, once it is published, index."""
        waiting = waiting_entry(self.conn, self.row.record)
        if waiting is not None:
            return self.check(waiting), ACCEPTED, None
        try:
            index, entry = self.published()
        except NotSequencedError:
            stored = select(log_entries.c.entry).where(log_entries.c.record == self.row.record)
            return self.check(self.conn.execute(stored).scalar_one()), SEQUENCED, None
        return entry, anchor_stage(self.conn, self.view.log.id, index), index

    def published(self) -> tuple[LeafIndex, bytes]:
        """Index and entry; raises NotSequencedError until it is published, CorruptLogError for another's entry."""
        index = self.view.index_of(self.row.record)
        return index, self.check(self.view.entry(index))

    def check(self, entry: bytes) -> bytes:
        """Return the record's entry; raises CorruptLogError when it is another's."""
        claim = parse_entry(entry).claim
        if (claim.id, claim.kind, claim.log) != (self.row.id, self.row.kind, self.view.log.origin):
            raise CorruptLogError(log_id=self.view.log.id, problem="a record has another's entry")
        return entry


def _proof(view: LogView, index: LeafIndex, checkpoint: PublishedCheckpoint) -> TlogProof:
    size: TreeSize = checkpoint.size
    return TlogProof(index, view.prove_inclusion(index, size), checkpoint.note)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
