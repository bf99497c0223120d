"""Auditing webhooks: each endpoint was registered and not removed, its secret opens, and no event is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger_service.accounts.tables import account_events
from ledger_service.errors import LedgerError
from ledger_service.log.tables import checkpoints
from ledger_service.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_marks

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.findings import AuditReport
    from ledger_service.webhooks.endpoints import Endpoints


def audit_endpoints(conn: Connection, report: AuditReport, endpoints: Endpoints) -> None:
    """Report endpoints that nobody registered or that are gone, secrets that do not open, and unsigned sizes."""
    registered: dict[tuple[int, str], int] = {}
    for event in conn.execute(select(account_events).order_by(account_events.c.id)):
        if event.action == "webhook registered":
            registered[event.org, event.subject] = event.at
        elif event.action == "webhook removed":
            registered.pop((event.org, event.subject), None)
    for row in conn.execute(select(webhook_endpoints)).all():
        report.looked_at["webhooks"] += 1
        where = f"webhook {str(row.name)[:80]}"
        if registered.pop((row.org_id, row.name), None) != row.created:
            report.add("webhook_unknown", where, "no event tells of its registration")
        try:
            endpoints.secret_of(conn, row)
        except LedgerError as error:
            report.add("webhook_secret", where, error.text)
    for _, name in registered:
        report.add(
            "webhook_missing", f"webhook {str(name)[:80]}", "it was registered, not removed, and is gone"
        )
    _audit_sizes(conn, report)


def _audit_sizes(conn: Connection, report: AuditReport) -> None:
    signed = select(checkpoints.c.log_id, checkpoints.c.size)
    sizes = {(row.log_id, row.size) for row in conn.execute(signed)}
    for table in (webhook_marks, webhook_deliveries):
        for row in conn.execute(select(table.c.endpoint, table.c.log, table.c.size)):
            if (row.log, row.size) not in sizes:
                words = f"it tells of size {row.size} of log {row.log}, which was never signed"
                report.add("webhook_size", f"{table.name} of endpoint {row.endpoint}", words)
