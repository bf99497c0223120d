"""Auditing the files beside the database: keys, the guard file, the erasure register."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from ledger_service.chain.anchor_store import PUBLISHED
from ledger_service.chain.guard import Marks, parse_marks
from ledger_service.chain.tables import anchors, chain_contracts
from ledger_service.log.audit_kept import compare, seen_before
from ledger_service.log.directory import all_logs, find_log
from ledger_service.log.eras import EraKeys
from ledger_service.log.reader import view_log
from ledger_service.log.tables import logs
from ledger_service.proofs.audit_report import KeptRows
from ledger_service.proofs.types import Origin
from ledger_service.records.erasure import ERASURE
from ledger_service.records.tables import idempotency_keys, records
from ledger_service.verification.log_signers import LogSigners
from ledger_service.wiring.installation import erasure_register, guard_file, load_files

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.audit_reports import History
    from ledger_service.log.findings import AuditReport
    from ledger_service.wiring.service import Service

_REGISTER: Final = "erasure register"
# By log and contract, the largest checkpoint that a chain has held.
_ANCHORED: Final = (
    select(
        anchors.c.log,
        chain_contracts.c.kind,
        chain_contracts.c.address,
        func.max(anchors.c.size).label("size"),
    )
    .join(chain_contracts, chain_contracts.c.id == anchors.c.contract)
    .where(anchors.c.stage != PUBLISHED)
    .group_by(anchors.c.log, chain_contracts.c.kind, chain_contracts.c.address)
)


def audit_files(service: Service, report: AuditReport, history: History) -> None:
    """Report key files that do not open, a guard file that contradicts the logs, and erasures not in the register."""
    _audit_keys(service, report)
    with report.looking_at("guard file"), service.database.read() as conn:
        _audit_guard(service, conn, report)
    with report.looking_at(_REGISTER), service.database.read() as conn:
        _audit_register(service, conn, report, history)


def _audit_keys(service: Service, report: AuditReport) -> None:
    files = load_files(service.settings)
    signers = LogSigners(files, max_delay_s=0)
    for log, era in [(each, era) for each in service.logs.logs() for era in each.eras]:
        with report.looking_at(f"signing keys of {log.origin}"):
            report.looked_at["signing keys"] += 1
            keys = signers.of(log.origin, era.number).keys
            if keys != EraKeys(era.vkeys, era.status or keys.status, era.acceptance or keys.acceptance):
                report.add(
                    "key_differs", f"signing keys of {log.origin}", "they are not those that the log names"
                )
    with report.looking_at("signing key of verifications"):
        report.looked_at["signing keys"] += 1
        files.verification_key()
    with service.database.read() as conn:
        for origin, era in conn.execute(select(logs.c.origin, logs.c.era)):
            if era != find_log(conn, origin).era.number:
                report.add(
                    "key_differs", f"signing keys of {origin}", f"era {era} is none that the log tells of"
                )


def _audit_guard(service: Service, conn: Connection, report: AuditReport) -> None:
    """Compare the guard with the logs. The service raises it before it anchors, so it is read before and after."""
    path = guard_file(service.settings)
    before = parse_marks(path.read_bytes()) if path.exists() else Marks()
    kept = {log.origin: log for log in all_logs(conn)}
    anchored = conn.execute(_ANCHORED).all()
    if not path.exists():
        if anchored:
            report.add(
                "guard_missing", "guard file", "it is gone: nothing tells an older database from this one"
            )
        return
    report.looked_at["guard marks"] = len(before.logs)
    for origin, (size, root) in before.logs.items():
        log = kept.get(Origin(origin))
        view = None if log is None else view_log(conn, log)
        if view is None or view.size < size:
            report.add("rolled_back", origin, f"{size} entries were published, and fewer are here")
        elif view.root_at(size) != root:
            report.add("rolled_back", origin, f"another tree of {size} entries was published")
    after = parse_marks(path.read_bytes())
    origins = {log.id: log.origin for log in kept.values()}
    for row in anchored:
        if after.logs.get(origins.get(row.log, ""), (0, b""))[0] < row.size:
            report.add(
                "guard_behind",
                "guard file",
                f"it does not know that log {row.log} was anchored at {row.size}",
            )
    pinned = {(row.kind, bytes(row.address)) for row in conn.execute(select(chain_contracts))}
    used = {(row.kind, bytes(row.address)) for row in anchored}
    known = {(each.kind, each.address) for each in after.contracts}
    for kind, address in (known - pinned) | (used - known):
        words = f"it and the database know other contracts: {kind} 0x{address.hex()}"
        report.add("guard_contract", "guard file", words)


def _audit_register(service: Service, conn: Connection, report: AuditReport, history: History) -> None:
    orders = erasure_register(service.settings).orders()
    told = {(each.org_id, each.request): each.fingerprint for each in orders}
    done = {
        (row.org_id, bytes(row.key)): bytes(row.fingerprint)
        for row in conn.execute(
            select(idempotency_keys)
            .join(records, records.c.id == idempotency_keys.c.record)
            .where(records.c.kind == ERASURE.name)
        )
    }
    report.looked_at["erasures in the register"] = len(orders)
    for each in sorted(told.keys() | done.keys()):
        if told.get(each) != done.get(each):
            words = "the register and the log do not tell of the same erasures: the next start may mend it"
            report.add("erasure_register", f"organization {each[0]}, request {each[1].hex()}", words)
    path = service.settings.data_dir / "erasures.log"
    content = path.read_bytes() if path.exists() else b""
    seen = seen_before(history, _REGISTER)
    if seen is not None:
        compare(report, seen[0], sha256(content[: seen[0].through]).digest(), at=seen[1])
    report.kept.append(KeptRows(_REGISTER, len(content), sha256(content).digest()))
