"""Building the service from Settings: every part is made here, and nowhere else is one chosen."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import structlog

from ledger_service.accounts.api_keys import ApiKeys
from ledger_service.accounts.organizations import Organizations
from ledger_service.chain.abi import load_artifact
from ledger_service.chain.alarms import Alarms
from ledger_service.chain.anchorer import Anchorer, AnchorOptions
from ledger_service.chain.client import Node
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.observer import NodeView
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.rollback import compare_with_chain
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.stored_logs import StoredLogs
from ledger_service.clock import SystemClock
from ledger_service.errors import ChainUnavailableError, LedgerError, StorageFatalError
from ledger_service.log.bulk_writer import BulkWriter
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.log.reader import LogReader
from ledger_service.log.sequencer import Sequencer
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.opening import OPENING_KIND, OPENING_SCHEMA
from ledger_service.records.bulk import BulkPreparer
from ledger_service.records.intake import Intake
from ledger_service.records.kinds import KindRegistry
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.verification.archive import Archive
from ledger_service.verification.judge import IssuerKeys, Judge
from ledger_service.verification.log_signers import LogSigners
from ledger_service.verification.recorder import Recorder
from ledger_service.wiring.installation import (
    chain_url,
    check_installation,
    guard_file,
    load_key_wrapper,
    load_publisher,
    open_checked_database,
)
from ledger_service.wiring.keeper import Keeper
from ledger_service.wiring.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.log.directory import LogRow
    from ledger_service.storage.engine import Database

_log: Final = structlog.get_logger("service")
# What the logs of each collection hold for ever: the opening fixes it, so kinds to come are named already.
LOG_KINDS: Final = {"purchases": ("erasure/v1", "purchase/v1", "refund/v1", "status/v1")}
CONTRACTS: Final = {"purchases": "PurchaseLedger"}


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_fatal: Callable[[LedgerError], None] | None = None,
) -> Service:
    """Build the service, in the process that uses it; `start` it where it shall sign.

    `on_fatal` hears of a storage failure after which only a clean start shows what is true: a server ends.
    Raises SettingsError when there is no installation, KeyFileError, StorageError.
    """
    check_installation(settings)
    on_fatal = on_fatal or _stay
    clock = clock or SystemClock()
    wrapper = load_key_wrapper(settings)
    files = SigningKeyFiles(settings.keys_dir, wrapper)
    database = open_checked_database(settings)
    keyring = Keyring(wrapper)
    signers = LogSigners(files, max_delay_s=int(settings.max_accept_delay_s))
    organizations = Organizations(database, clock=clock)
    kinds = KindRegistry([PURCHASE])
    intake = Intake(database, keyring, clock=clock)
    ledger = LedgerThread(
        intake,
        Sequencer(database, signers_of=signers.checkpoint_signers, clock=clock),
        heartbeat_s=settings.heartbeat_s,
        alarm=_alarm(on_fatal),
    )
    node = _find_node(settings)
    archive = Archive(
        database,
        keyring,
        schemas={kind.name: kind.schema for kind in kinds.all()} | {OPENING_KIND: OPENING_SCHEMA},
        status_signer=signers.status_signer,
    )
    preparer = BulkPreparer(workers=settings.seal_workers)
    return Service(
        settings=settings,
        clock=clock,
        entropy=secrets.token_bytes,
        database=database,
        keyring=keyring,
        kinds=kinds,
        signers=signers,
        organizations=organizations,
        api_keys=ApiKeys(database, clock=clock, entropy=secrets.token_bytes),
        logs=LogReader(database),
        archive=archive,
        judge=Judge(
            database,
            issuer_keys=_issuer_keys(organizations, signers),
            chain_view=None
            if node is None
            else NodeView(node, artifact=load_artifact(CONTRACTS["purchases"])),
            clock=clock,
        ),
        alarms=Alarms(database, clock=clock),
        intake=intake,
        recorder=Recorder(
            ledger,
            archive,
            acceptance_signer=signers.acceptance_signer,
            bound_s=settings.sequence_bound_s,
        ),
        bulk_writer=BulkWriter(
            database,
            intake,
            ledger,
            preparer,
            clock=clock,
            bound_s=settings.sequence_bound_s,
            chunk_lines=settings.bulk_batch,
        ),
        preparer=preparer,
        keeper=None
        if node is None
        else _keeper(settings, database, ledger, node, files=files, clock=clock, on_fatal=on_fatal),
        log_kinds=LOG_KINDS,
    )


def _keeper(
    settings: Settings,
    database: Database,
    ledger: LedgerThread,
    node: Node,
    *,
    files: SigningKeyFiles,
    clock: Clock,
    on_fatal: Callable[[LedgerError], None],
) -> Keeper:
    source = StoredLogs(database, contracts=CONTRACTS)
    artifacts = {name: load_artifact(name) for name in CONTRACTS.values()}
    account = load_publisher(settings, files)
    guard = HighWaterGuard(guard_file(settings))
    pins = ChainPins(database, clock=clock)
    anchorer = Anchorer(
        database,
        node,
        source=source,
        artifacts=artifacts,
        account=account,
        clock=clock,
        options=AnchorOptions(
            self_anchored=settings.chain_url is None,
            confirmations=settings.needed_confirmations,
            anchor_every_s=settings.anchor_every_s,
        ),
        guard=guard,
    )
    return Keeper(
        ledger,
        anchorer,
        compare=lambda: compare_with_chain(
            source, node, pins=pins, guard=guard, artifacts=artifacts, opener=account.address
        ),
        guard=guard,
        poll_s=settings.chain_poll_s,
        on_fatal=on_fatal,
    )


def _find_node(settings: Settings) -> Node | None:
    """The node of the chain, or None before the embedded one was ever started."""
    try:
        return Node(JsonRpc(chain_url(settings)))
    except ChainUnavailableError:
        return None


def _stay(error: LedgerError) -> None:
    """End nothing: a command ends by itself."""
    del error


def _issuer_keys(organizations: Organizations, signers: LogSigners) -> Callable[[LogRow], IssuerKeys]:
    def find(log: LogRow) -> IssuerKeys:
        signer = signers.of(log.origin)
        return IssuerKeys(organizations.find(log.org).name, signer.status.vkey, signer.acceptance.vkey)

    return find


def _alarm(on_fatal: Callable[[LedgerError], None]) -> Callable[[LedgerError], None]:
    def hear(error: LedgerError) -> None:
        _log.error("ledger thread", code=error.code, detail=error.text, details=error.details)
        if isinstance(error, StorageFatalError):
            on_fatal(error)

    return hear
