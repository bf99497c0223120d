"""A whole audit of an installation: database, files beside it, and on request the chain; signed and recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ledger_service.accounts.audit import audit_accounts
from ledger_service.accounts.tables import account_events, api_keys, organizations
from ledger_service.chain.head_signer import check_eip712_line
from ledger_service.chain.tables import anchor_sightings, anchors, chain_transactions, chains, publishers
from ledger_service.errors import LedgerError
from ledger_service.log.audit_kept import Kept, audit_kept
from ledger_service.log.audit_reports import (
    CHAIN,
    PAYLOADS,
    History,
    ReportSigner,
    describe,
    read_history,
    record,
)
from ledger_service.log.auditor import audit
from ledger_service.log.tables import checkpoints, log_eras, logs
from ledger_service.webhooks.audit import audit_endpoints
from ledger_service.wiring.audit_files import audit_files
from ledger_service.wiring.installation import load_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ledger_service.log.findings import AuditReport
    from ledger_service.proofs.audit_report import SignedReport
    from ledger_service.wiring.service import Service

_ACCOUNT: Final = ("id", "slug", "name", "created")
_ERA: Final = ("era", "from_size", "vkeys", "status_vkey", "acceptance_vkey", "began")
_KEY: Final = ("id", "prefix", "org", "secret_sha256", "scopes", "label", "created", "expires")
# What says nothing elsewhere of what it must be, and is never changed.
_KEPT: Final = (
    Kept("organizations", organizations, _ACCOUNT),
    Kept("api_keys", api_keys, _KEY),
    Kept("account_events", account_events, ("id", "at", "org", "action", "subject")),
    Kept("logs", logs, ("id", "origin", "org_id", "org", "collection", "kinds", "vkeys", "created")),
    Kept("chains", chains, tuple(chains.c.keys())),
    Kept("publishers", publishers, ("id", "chain", "address", "key", "named")),
    Kept("chain_transactions", chain_transactions, tuple(chain_transactions.c.keys())),
    Kept("anchors", anchors, ("id", "contract", "log", "size", "root", "planned")),
    Kept(
        "anchor_sightings",
        anchor_sightings,
        tuple(name for name in anchor_sightings.c.keys() if name != "lost"),  # noqa: SIM118  columns, not a dict
    ),
)


def _kept_of_logs(conn: Connection) -> Iterator[Kept]:
    """What each log numbers by itself: a checkpoint that is missed belongs to no entry, and a receipt repeats it."""
    for log in conn.execute(select(logs.c.id).order_by(logs.c.id)).scalars().all():
        signed, eras = checkpoints.c.log_id == log, log_eras.c.log_id == log
        yield Kept(f"checkpoints.{log}", checkpoints, ("size", "root", "timestamp", "note"), signed)
        yield Kept(f"log_eras.{log}", log_eras, _ERA, eras)


@dataclass(frozen=True, slots=True)
class Audited:
    """What came of an audit. Without `note` it could not be signed or recorded, and `unrecorded` says why."""

    report: SignedReport
    note: bytes | None
    unrecorded: LedgerError | None


def load_report_signer(service: Service) -> ReportSigner:
    """Who signs the reports of this installation; raises KeyFileError or KeyUnavailableError."""
    return ReportSigner(load_files(service.settings).audit_key().ed25519())


def run_audit(
    service: Service, *, payloads: bool = True, chain: bool = False, recorded: bool = True
) -> Audited:
    """Audit everything, sign the report and record it.

    Raises ChainError when a chain that is somebody else's was to be read and cannot be.
    """
    began = service.clock.now()
    scope = ([PAYLOADS] if payloads else []) + ([CHAIN] if chain else [])
    report = audit(
        service.database,
        keyring=service.keyring if payloads else None,
        kinds=service.kinds.all(),
        check_line=check_eip712_line,
    )
    signer, history = _look_back(service, report)
    _audit_rest(service, report, history)
    if chain:
        # The chain's libraries take long to load, and most audits do not need them.
        from ledger_service.wiring.anchoring import audit_contracts  # noqa: PLC0415

        audit_contracts(report, service.settings, service.database, clock=service.clock)
    signed = describe(report, history, scope=scope, now=began)
    if signer is None or not recorded:
        return Audited(signed, None, None)
    try:
        return Audited(signed, record(service.database, signer, signed), None)
    except LedgerError as error:
        return Audited(signed, signer.sign(signed), error)


def _look_back(service: Service, report: AuditReport) -> tuple[ReportSigner | None, History]:
    history = History()
    signer = None
    with report.looking_at("reports of audits"):
        signer = load_report_signer(service)
        with service.database.read() as conn:
            history = read_history(conn, signer.vkey)
        if history.problem is not None:
            report.add("report_history", "reports of audits", history.problem)
        report.looked_at["reports"] = len(history.reports)
    return signer, history


def _audit_rest(service: Service, report: AuditReport, history: History) -> None:
    with report.looking_at("accounts, keys and webhooks"), service.database.read() as conn:
        audit_accounts(conn, report)
        for number, problem in service.keyring.unsound(conn):
            report.add("key_unsound", f"vault_keys id {number}", problem)
        audit_endpoints(conn, report, service.webhooks.endpoints)
        audit_kept(conn, _KEPT, report, history=history)
        audit_kept(conn, _kept_of_logs(conn), report, history=history)
    audit_files(service, report, history)
