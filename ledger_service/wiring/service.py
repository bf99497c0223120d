"""The service as routes and commands use it: its parts, and what takes several of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from ledger_service.chain.publishers import count_moving
from ledger_service.chain.rotations import count_lagging_keys
from ledger_service.chain.status_store import count_waiting
from ledger_service.errors import (
    LogExistsError,
    NotFoundError,
    NotReadyError,
    OrganizationExistsError,
    TargetError,
    UnknownKindError,
    UnknownLogError,
    UnknownRecordError,
)
from ledger_service.log.directory import find_collection, log_of_number
from ledger_service.log.opening import open_log
from ledger_service.proofs.opening import LogOpening
from ledger_service.proofs.types import Origin
from ledger_service.records.corrections import CORRECTION
from ledger_service.records.history import find_record
from ledger_service.records.intake import Submission
from ledger_service.records.kinds import refuse
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.records.statuses import STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ledger_service.accounts.api_keys import ApiKeys
    from ledger_service.accounts.organizations import Organization, Organizations
    from ledger_service.accounts.sessions import Sessions
    from ledger_service.chain.alarms import Alarms
    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.log.bulk_writer import BulkRequest, BulkWriter, LineResult
    from ledger_service.log.directory import LogRow
    from ledger_service.log.reader import LogReader
    from ledger_service.records.bulk import BulkPreparer
    from ledger_service.records.history import RecordRow
    from ledger_service.records.intake import Intake
    from ledger_service.records.kinds import KindRegistry
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring
    from ledger_service.verification.archive import Archive
    from ledger_service.verification.erasures import Erased, Erasures
    from ledger_service.verification.finder import Finder
    from ledger_service.verification.judge import Judge, TrustDocuments
    from ledger_service.verification.log_signers import LogSigners
    from ledger_service.verification.recorder import Pending, Recorded, Recorder
    from ledger_service.verification.reports import Reporter
    from ledger_service.wiring.keeper import Keeper
    from ledger_service.wiring.self_check import SelfCheck
    from ledger_service.wiring.webhooks import Webhooks

# A log that continues another is found at most this much later in a process that has just seen the old one.
_REMEMBERED_FOR: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether writes are taken.

    `reasons` say why not; `notes` are what somebody should look at all the same.
    """

    ready: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Service:
    """One installation for all threads of one process.

    `start` begins signing and anchoring; reads need no start.

    `log_kinds` names, for each collection, the kinds that its logs hold for ever. `keeper` is None where no
    chain is known; such a service reads. `gas_used(tx_hash)` asks the node what a transaction cost; None where it
    does not know.
    """

    settings: Settings
    clock: Clock
    entropy: Callable[[int], bytes]
    database: Database
    keyring: Keyring
    kinds: KindRegistry
    signers: LogSigners
    organizations: Organizations
    api_keys: ApiKeys
    sessions: Sessions
    logs: LogReader
    archive: Archive
    finder: Finder
    judge: Judge
    reporter: Reporter
    alarms: Alarms
    intake: Intake
    recorder: Recorder
    erasures: Erasures
    bulk_writer: BulkWriter
    preparer: BulkPreparer
    webhooks: Webhooks
    self_check: SelfCheck
    keeper: Keeper | None
    gas_used: Callable[[bytes], int | None]
    log_kinds: Mapping[str, tuple[str, ...]]
    _remembered: dict[tuple[int, str], tuple[LogRow, datetime]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Use it without starting it, as the commands do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and close."""
        self.stop()

    def start(self) -> None:
        """Begin to sign, once the database was compared with the chain, to anchor, and to tell of it."""
        if self.keeper is None:
            raise NotReadyError("No chain is known: the embedded one was never started here.")
        self.keeper.start()
        self.webhooks.courier.start()
        self.erasures.resume()

    def stop(self) -> None:
        """Finish what was accepted, then close everything."""
        if self.keeper is not None:
            self.keeper.stop()
        self.webhooks.courier.stop()
        self.erasures.stop()
        self.preparer.close()
        self.database.close()

    def create_organization(self, slug: str, *, name: str) -> tuple[LogRow, ...]:
        """Make an organization and open its logs; finish what an interrupted call left.

        The opening entries are signed by the running service, or when it starts: only there is the database
        compared with the chain. Raises OrganizationExistsError when nothing was left to do, BadNameError.
        """
        try:
            org = self.organizations.create(slug, name=name)
        except OrganizationExistsError:
            org = self.organizations.find(slug)
            if org.name != name or not self._missing(org):
                raise
        return tuple(self._open(org, collection) for collection in self._missing(org))

    def log_of(self, org_id: int, collection: str) -> LogRow:
        """The log that new records of a collection go to; raises UnknownLogError."""
        now = self.clock.now()
        known = self._remembered.get((org_id, collection))
        if known is not None and now < known[1]:
            return known[0]
        with self.database.look() as conn:
            found = find_collection(conn, org_id, collection)
        self._remembered[org_id, collection] = (found, now + _REMEMBERED_FOR)
        return found

    def record(self, submission: Submission) -> Recorded | Pending:
        """Record one fact.

        Raises what `Recorder.record` raises, and NotReadyError or why nothing is signed.
        """
        self._check_writable()
        return self.recorder.record(submission)

    def change_status(
        self, record_id: str, body: Mapping[str, object], *, org_id: int, key: str
    ) -> Recorded | Pending:
        """Record what `body` says about the status of one of the organization's records.

        Raises NotFoundError, InvalidPayloadError, TargetError, StateConflictError, NotSequencedError, and what
        `record` raises.
        """
        _, log = self._own_record(record_id, org_id)
        parsed = STATUS.parse(_about(record_id, body), self.clock.now())
        log.check_kind(STATUS.name)
        return self.record(Submission(log.target, STATUS, parsed, IdempotencyKey(key)))

    def correct(
        self,
        record_id: str,
        body: Mapping[str, object],
        *,
        replacement: Mapping[str, object],
        org_id: int,
        key: str,
    ) -> Recorded | Pending:
        """Record `replacement`, a payload of the same kind, in the place of one of the organization's records.

        `body` says why. Raises as `change_status` does.
        """
        row, log = self._own_record(record_id, org_id)
        now = self.clock.now()
        said = CORRECTION.parse(_about(record_id, body), now)
        try:
            kind = self.kinds.get(row.kind)
        except UnknownKindError:
            raise TargetError(kind=row.kind) from None
        parsed = kind.parse(replacement, now)
        if parsed.points_at is not None:
            raise TargetError("A replacement points at what it replaces, and at nothing else.", kind=row.kind)
        log.check_kind(CORRECTION.name)
        return self.record(
            Submission(log.target, kind, parsed, IdempotencyKey(key), explained_by=(CORRECTION, said))
        )

    def record_rows(self, request: BulkRequest) -> Iterator[LineResult]:
        """Record a stream of rows; raises as `record` does, and `BulkWriter.write` says what else."""
        self._check_writable()
        return self.bulk_writer.write(request)

    def erase(self, org_id: int, subject: str, *, reason: str, key: str) -> Erased:
        """Erase a data subject.

        Raises what `Erasures.erase` raises, and NotReadyError or why nothing is signed.
        """
        self._check_writable()
        return self.erasures.erase(org_id, subject, reason=reason, key=key)

    def preview_rows(self, request: BulkRequest) -> Iterator[LineResult]:
        """Say what would become of a stream of rows and store nothing; raises as `record_rows` does."""
        self._check_writable()
        return self.bulk_writer.preview(request)

    def public_log(self, org: str, collection: str) -> LogRow:
        """The newest log of an organization's collection, for anyone; raises NotFoundError."""
        try:
            return self.log_of(self.organizations.find(org).id, collection)
        except UnknownLogError:
            raise NotFoundError from None

    def trust_documents(self, org: str, collection: str) -> TrustDocuments:
        """Policy and trust file of a log; raises NotFoundError."""
        return self.judge.documents(self.public_log(org, collection).origin)

    def readiness(self) -> Readiness:
        """Whether writes are taken now, and why not."""
        refusal = NotReadyError() if self.keeper is None else self.keeper.refusal
        reasons = () if refusal is None else (f"{refusal.text} [{refusal.code}]",)
        notes = [f"{alarm.code}: {alarm.subject}: {alarm.detail}" for alarm in self.alarms.open()]
        with self.database.look() as conn:
            behind, lagging = count_waiting(conn), count_lagging_keys(conn)
            moving = count_moving(conn)
        if behind:
            notes.append(f"The contracts have yet to take {behind} changes of status.")
        if lagging:
            notes.append(f"The contracts have yet to learn of the new keys of {lagging} logs.")
        if moving:
            notes.append("The next publisher has not taken over yet; until then nothing else is anchored.")
        trouble = None if self.keeper is None else self.keeper.chain_trouble
        if trouble is not None:
            notes.append(f"{trouble.text} [{trouble.code}]")
        return Readiness(not reasons, reasons, (*notes, *self.database.warnings))

    def _own_record(self, record_id: str, org_id: int) -> tuple[RecordRow, LogRow]:
        with self.database.read() as conn:
            try:
                row = find_record(conn, record_id)
            except UnknownRecordError:
                raise NotFoundError from None
            if row.org_id != org_id:
                raise NotFoundError
            return row, log_of_number(conn, row.log_id)

    def _check_writable(self) -> None:
        if self.keeper is None:
            raise NotReadyError
        self.keeper.check_writable()

    def _missing(self, org: Organization) -> list[str]:
        missing = []
        for collection in self.log_kinds:
            try:
                self.log_of(org.id, collection)
            except UnknownLogError:
                missing.append(collection)
        return missing

    def _open(self, org: Organization, collection: str) -> LogRow:
        origin = Origin(f"{self.settings.origin_host}/logs/{org.slug}/{collection}")
        keys = self.signers.create(origin).vkeys
        opening = LogOpening(origin, org.slug, self.log_kinds[collection], keys)
        try:
            return open_log(
                self.database,
                self.intake,
                opening,
                org_id=org.id,
                collection=collection,
                clock=self.clock,
                entropy=self.entropy,
            )
        except LogExistsError:
            return self.log_of(org.id, collection)


def _about(record_id: str, body: Mapping[str, object]) -> dict[str, object]:
    if "record" in body:
        raise refuse([{"field": "record", "problem": "is not known"}])
    return {**body, "record": record_id}
