"""The parts that speak to the chain, apart from the others: their libraries take long to load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.chain.abi import load_artifact
from ledger_service.chain.actions import count_planned
from ledger_service.chain.anchor_audit import PATIENCE_S, AnchorAudit
from ledger_service.chain.anchor_store import AnchorStore
from ledger_service.chain.anchorer import Anchorer, AnchorOptions
from ledger_service.chain.client import Node, check_identity
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.mempool import Mempool
from ledger_service.chain.observer import NodeView
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.publishers import FIRST_KEY, read_publishers
from ledger_service.chain.rollback import compare_with_chain
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.status_audit import audit_states
from ledger_service.chain.status_store import StatusStore
from ledger_service.chain.stored_logs import StoredLogs
from ledger_service.errors import ChainError, ChainUnavailableError, KeyFileError, RollbackDetectedError
from ledger_service.wiring.installation import (
    chain_file,
    chain_url,
    guard_file,
    load_files,
    publisher_accounts,
)
from ledger_service.wiring.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.chain.account import PublisherAccount
    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.errors import LedgerError
    from ledger_service.log.findings import AuditReport
    from ledger_service.log.ledger_thread import LedgerThread
    from ledger_service.storage.engine import Database
    from ledger_service.vault.signing_keys import SigningKeyFiles
    from ledger_service.verification.log_signers import LogSigners

# Which contract the logs of each collection are anchored in.
CONTRACTS: Final = {
    "purchases": "PurchaseLedger",
    "completions": "CertificateRegistry",
    "datasets": "DataNotary",
}
# How long a verdict waits for the chain before it says that it could not look, and for how long the next ones
# say so without waiting.
_VERDICT_WAIT_S: Final = 1.0
_VERDICT_REST_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ChainSide:
    """What looks at the chain for verdicts, and what anchors.

    `gas_used(tx_hash)` is what a transaction cost, None while the node does not say.
    """

    view: NodeView
    keeper: Keeper
    gas_used: Callable[[bytes], int | None]


def build_chain_side(
    settings: Settings,
    database: Database,
    ledger: LedgerThread,
    *,
    files: SigningKeyFiles,
    signers: LogSigners,
    clock: Clock,
    on_fatal: Callable[[LedgerError], None],
) -> ChainSide | None:
    """Build it, or return None before the embedded chain was ever started."""
    try:
        url = chain_url(settings)
    except ChainUnavailableError:
        return None
    node = Node(JsonRpc(url))
    source = StoredLogs(database, contracts=CONTRACTS)
    artifacts = {name: load_artifact(name) for name in CONTRACTS.values()}
    accounts = publisher_accounts(settings, files)
    guard = HighWaterGuard(guard_file(settings))
    pins = ChainPins(database, clock=clock)
    anchorer = Anchorer(
        database,
        node,
        source=source,
        changes=source,
        signers=signers.head_signer,
        artifacts=artifacts,
        accounts=accounts,
        clock=clock,
        options=AnchorOptions(
            self_anchored=settings.chain_url is None,
            confirmations=settings.needed_confirmations,
            anchor_every_s=settings.anchor_every_s,
        ),
        guard=guard,
    )

    def compare() -> None:
        chain = pins.pinned()
        row = None if chain is None else chain.row
        publishers = read_publishers(database, row, first=lambda: accounts(FIRST_KEY).address)
        found = compare_with_chain(
            source, node, pins=pins, guard=guard, artifacts=artifacts, openers=publishers.everybody
        )
        if found.contracts == 0 and settings.chain_url is None:
            _check_planned(database, node, publishers.present.address)

    keeper = Keeper(
        ledger,
        anchorer,
        compare=compare,
        guard=guard,
        poll_s=settings.chain_poll_s,
        on_fatal=on_fatal,
    )
    # Whoever waits for the chain keeps a thread that could answer somebody else.
    hasty = Node(JsonRpc(url, timeout_s=_VERDICT_WAIT_S, rest_s=_VERDICT_REST_S))
    view = NodeView(hasty, artifacts=tuple(artifacts.values()))
    return ChainSide(view, keeper, _gas_reader(Mempool(hasty.rpc), keeper))


def _gas_reader(mempool: Mempool, keeper: Keeper) -> Callable[[bytes], int | None]:
    def gas_used(tx_hash: bytes) -> int | None:
        if keeper.chain_trouble is not None:
            # Nobody waits for a node that did not answer a moment ago.
            return None
        try:
            receipt = mempool.receipt(tx_hash)
        except ChainError:
            return None
        return None if receipt is None else receipt.gas_used

    return gas_used


def audit_contracts(report: AuditReport, settings: Settings, database: Database, *, clock: Clock) -> None:
    """Add to an audit what is wrong with the chain, and where it and the database disagree.

    The embedded chain is read from its file, so it need not run. Raises ChainError if another chain cannot be read.
    """
    if settings.chain_url is not None:
        _audit_node(report, Node(JsonRpc(settings.chain_url)), settings, database, clock=clock)
        return
    if not chain_file(settings).exists() and ChainPins(database, clock=clock).pinned() is None:
        raise ChainUnavailableError("The embedded chain was never started here: run `audit-ledger serve`.")
    # The node's own libraries take longest to load.
    from ledger_service.chain.embedded.reading import read_chain  # noqa: PLC0415

    with report.looking_at("the embedded chain"), read_chain(chain_file(settings), clock=clock) as file:
        with report.looking_at("the embedded chain's file"):
            report.looked_at["blocks"] = file.check().blocks
        _audit_node(report, Node(file), settings, database, clock=clock)


def _audit_node(
    report: AuditReport, node: Node, settings: Settings, database: Database, *, clock: Clock
) -> None:
    source = StoredLogs(database, contracts=CONTRACTS)
    artifacts = {name: load_artifact(name) for name in CONTRACTS.values()}
    pins = ChainPins(database, clock=clock)
    chain = pins.pinned()
    if chain is None:
        # Nothing was ever anchored; but a chain that does not answer was not looked at.
        node.identity()
        return
    check_identity(node, chain.identity)
    if chain.self_anchored != (settings.chain_url is None):
        report.add("chain_operator", "chains", "whether the operator runs the chain is noted wrongly")
    with report.looking_at("states in contracts"):
        audit_states(
            report,
            node,
            pins=pins,
            anchors=AnchorStore(database, clock=clock),
            store=StatusStore(database),
            changes=source,
            heads={head.log: head for head in source.heads()},
            artifacts=artifacts,
            overdue=clock.now().timestamp() - PATIENCE_S,
        )
    with report.looking_at("anchors"), database.read() as conn:
        accounts = _load_accounts(report, settings, database, chain.row)
        AnchorAudit(
            report,
            conn,
            node,
            chain=chain,
            source=source,
            artifacts=artifacts,
            confirmations=settings.needed_confirmations,
            now=clock.now().timestamp(),
        ).run(accounts)


def _load_accounts(
    report: AuditReport, settings: Settings, database: Database, chain: int
) -> dict[bytes, PublisherAccount | None]:
    """Every account that ever published, by its address; without its key where that was put away since."""
    load = publisher_accounts(settings, load_files(settings))
    known = read_publishers(database, chain, first=lambda: load(FIRST_KEY).address)
    accounts: dict[bytes, PublisherAccount | None] = dict.fromkeys(known.everybody)
    for each in known.named:
        where = f"the key of publisher 0x{each.address.hex()}"
        try:
            account = load(each.key)
        except KeyFileError:
            if each in {known.present, known.following}:
                raise
            continue
        if account.address != each.address:
            report.add("key_differs", where, "it is another account's")
        accounts[each.address] = account
    return accounts


def _check_planned(database: Database, node: Node, account: bytes) -> None:
    """Raise RollbackDetectedError when the embedded chain has more transactions of ours than were planned.

    Nobody else has that account, and each transaction is stored before it is sent: the database is a copy
    from before the first anchor. After a crash the first of them may be on the chain and not yet observed.
    """
    sent = node.nonce(account, at=node.newest())
    planned = count_planned(database, account)
    if sent > planned:
        raise RollbackDetectedError(transactions_on_chain=sent, transactions_planned=planned)
