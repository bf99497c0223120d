"""Building the service from Settings: every part is made here, and nowhere else is one chosen."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from ledger_service.accounts.api_keys import ApiKeys
from ledger_service.accounts.organizations import Organizations
from ledger_service.accounts.sessions import Sessions
from ledger_service.chain.alarms import Alarms
from ledger_service.clock import SystemClock
from ledger_service.errors import StorageFatalError
from ledger_service.log.bulk_writer import BulkWriter
from ledger_service.log.eras import current_era
from ledger_service.log.eraser import Eraser
from ledger_service.log.lease import SequencerLease, this_process
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.log.published import StoredPlaces
from ledger_service.log.reader import LogReader
from ledger_service.log.sequencer import Sequencer
from ledger_service.records.bulk import BulkPreparer
from ledger_service.records.intake import Intake
from ledger_service.records.pointing import PointingRules
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.verification.archive import Archive
from ledger_service.verification.erasures import Erasures
from ledger_service.verification.finder import Finder
from ledger_service.verification.judge import IssuerKeys, Judge
from ledger_service.verification.log_signers import LogSigners
from ledger_service.verification.recorder import Recorder
from ledger_service.verification.reports import Reporter
from ledger_service.wiring.installation import (
    check_installation,
    erasure_register,
    load_key_wrapper,
    open_checked_database,
)
from ledger_service.wiring.kinds import KINDS, LOG_KINDS
from ledger_service.wiring.self_check import SelfCheck
from ledger_service.wiring.service import Service
from ledger_service.wiring.webhooks import build_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.errors import LedgerError
    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.types import Origin
    from ledger_service.storage.engine import Database
    from ledger_service.vault.wrapping import KeyWrapper
    from ledger_service.wiring.anchoring import ChainSide

_log: Final = structlog.get_logger("service")
_Signer = TypeVar("_Signer")


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_fatal: Callable[[LedgerError], None] | None = None,
    anchoring: bool = True,
) -> Service:
    """Build the service, in the process that uses it; `start` it where it shall sign.

    `on_fatal` hears of a storage failure after which only a clean start shows what is true: a server ends.
    Without `anchoring` it only reads.
    Raises SettingsError when there is no installation, KeyFileError, StorageError.
    """
    check_installation(settings)
    on_fatal, clock = on_fatal or _stay, clock or SystemClock()
    wrapper, database = load_key_wrapper(settings), open_checked_database(settings)
    files = SigningKeyFiles(settings.keys_dir, wrapper)
    keyring, organizations = _build_keyring(database, wrapper), Organizations(database, clock=clock)
    signers = LogSigners(files, max_delay_s=int(settings.max_accept_delay_s))
    archive = Archive(database, keyring, kinds=KINDS, status_signer=signers.status_signer)
    writing = _build_writing(settings, database, keyring, signers, archive, clock=clock, on_fatal=on_fatal)
    chain = None
    if anchoring:
        from ledger_service.wiring.anchoring import build_chain_side  # noqa: PLC0415  takes long to load

        chain = build_chain_side(
            settings, database, writing.ledger, files=files, signers=signers, clock=clock, on_fatal=on_fatal
        )
    keeper, gas_used = (None, _unknown_gas) if chain is None else (chain.keeper, chain.gas_used)
    logs, alarms = LogReader(database), Alarms(database, clock=clock)
    api_keys = ApiKeys(database, clock=clock, entropy=secrets.token_bytes)
    judge, reporter = _build_judging(database, organizations, signers, chain, files=files, clock=clock)
    return Service(
        settings=settings,
        clock=clock,
        entropy=secrets.token_bytes,
        database=database,
        keyring=keyring,
        kinds=KINDS,
        signers=signers,
        organizations=organizations,
        api_keys=api_keys,
        sessions=Sessions(database, api_keys, clock=clock, entropy=secrets.token_bytes),
        logs=logs,
        archive=archive,
        finder=Finder(database, keyring),
        judge=judge,
        reporter=reporter,
        alarms=alarms,
        intake=writing.intake,
        recorder=writing.recorder,
        erasures=_build_erasures(settings, database, keyring, signers, writing.intake, clock=clock),
        bulk_writer=writing.bulk_writer,
        preparer=writing.preparer,
        webhooks=build_webhooks(settings, database, keyring, clock=clock),
        self_check=SelfCheck(settings, database, logs=logs, alarms=alarms, keeper=keeper, clock=clock),
        keeper=keeper,
        gas_used=gas_used,
        log_kinds=LOG_KINDS,
    )


def _build_judging(
    database: Database,
    organizations: Organizations,
    signers: LogSigners,
    chain: ChainSide | None,
    *,
    files: SigningKeyFiles,
    clock: Clock,
) -> tuple[Judge, Reporter]:
    judge = Judge(
        database,
        issuer_keys=_issuer_keys(organizations, signers),
        chain_view=None if chain is None else chain.view,
        clock=clock,
    )
    return judge, Reporter(judge, load_key=lambda: files.verification_key().ed25519())


@dataclass(frozen=True, slots=True)
class _Writing:
    """The parts that a write passes through."""

    intake: Intake
    ledger: LedgerThread
    recorder: Recorder
    bulk_writer: BulkWriter
    preparer: BulkPreparer


def _build_writing(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    signers: LogSigners,
    archive: Archive,
    *,
    clock: Clock,
    on_fatal: Callable[[LedgerError], None],
) -> _Writing:
    rules = PointingRules(KINDS, keyring, StoredPlaces())
    intake = Intake(database, keyring, clock=clock, rules=rules)
    lease = SequencerLease(database, clock=clock, holder=this_process(), lasts_s=settings.lease_s)
    ledger = LedgerThread(
        intake,
        Sequencer(database, signers_of=signers.checkpoint_signers, clock=clock),
        heartbeat_s=settings.heartbeat_s,
        alarm=_alarm(on_fatal),
        lease=lease,
        capacity=settings.queue_records,
    )
    recorder = Recorder(
        ledger,
        archive,
        acceptance_signer=_of_today(database, signers.acceptance_signer),
        bound_s=settings.sequence_bound_s,
    )
    preparer = BulkPreparer(workers=settings.seal_workers)
    bulk_writer = BulkWriter(
        database,
        intake,
        ledger,
        preparer,
        clock=clock,
        bound_s=settings.sequence_bound_s,
        chunk_lines=settings.bulk_batch,
    )
    return _Writing(intake, ledger, recorder, bulk_writer, preparer)


def _build_keyring(database: Database, wrapper: KeyWrapper) -> Keyring:
    """The keyring, once it is shown to open what is there; raises KeyUnavailableError."""
    keyring = Keyring(wrapper)
    try:
        with database.read() as conn:
            keyring.check_wrapper(conn)
    except BaseException:
        database.close()
        raise
    return keyring


def _build_erasures(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    signers: LogSigners,
    intake: Intake,
    *,
    clock: Clock,
) -> Erasures:
    eraser = Eraser(
        database,
        intake,
        keyring,
        register=erasure_register(settings),
        clock=clock,
        backup_period=timedelta(days=settings.backup_days),
    )
    status_signer = _of_today(database, signers.status_signer)
    erasures = Erasures(database, eraser, status_signer=status_signer, bound_s=settings.sequence_bound_s)
    # A restored backup holds what was erased since: nothing is served before that is gone again.
    erasures.reapply()
    return erasures


def _unknown_gas(tx_hash: bytes) -> int | None:
    """What a transaction cost where no chain is known."""
    del tx_hash
    return None


def _stay(error: LedgerError) -> None:
    """End nothing: a command ends by itself."""
    del error


def _issuer_keys(organizations: Organizations, signers: LogSigners) -> Callable[[LogRow], IssuerKeys]:
    def find(log: LogRow) -> IssuerKeys:
        name = organizations.find(log.org).name
        if not log.rotated:
            keys = signers.of(log.origin, log.era.number).keys
            return IssuerKeys(name, (keys.status,), (keys.acceptance,))
        # Who holds a leaked key could say anything at any time; its windows are of sizes, not of times.
        eras = [each for each in reversed(log.rotated) if not each.leaked]
        return IssuerKeys(
            name,
            tuple(each.status for each in eras if each.status),
            tuple(each.acceptance for each in eras if each.acceptance),
        )

    return find


def _of_today(database: Database, signer_of: Callable[[Origin, int], _Signer]) -> Callable[[Origin], _Signer]:
    """The signer of a log's present era, whoever replaced its keys and whenever."""
    return lambda origin: signer_of(origin, current_era(database, origin))


def _alarm(on_fatal: Callable[[LedgerError], None]) -> Callable[[LedgerError], None]:
    def hear(error: LedgerError) -> None:
        try:
            _log.error("ledger thread", code=error.code, detail=error.text, details=error.details)
        finally:
            # Whether or not it could be told: the log may lie on the disk that failed.
            if isinstance(error, StorageFatalError):
                on_fatal(error)

    return hear
