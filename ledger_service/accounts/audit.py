"""Auditing accounts: organizations and API keys against the events that were noted with each change of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ledger_service.accounts.tables import account_events, api_keys, organizations

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.findings import AuditReport

# Each action, and the rows that must be there because of it: organization, subject and time.
_MADE: Final = {
    "organization created": select(organizations.c.id, organizations.c.slug, organizations.c.created),
    "key created": select(api_keys.c.org, api_keys.c.prefix, api_keys.c.created),
    "key revoked": select(api_keys.c.org, api_keys.c.prefix, api_keys.c.revoked).where(
        api_keys.c.revoked.is_not(None)
    ),
}


def audit_accounts(conn: Connection, report: AuditReport) -> None:
    """Report organizations and keys without the event that made or revoked them, and events without their row."""
    events = select(account_events.c.org, account_events.c.subject, account_events.c.at)
    for action, rows in _MADE.items():
        told = Counter(tuple(row) for row in conn.execute(events.where(account_events.c.action == action)))
        there = Counter(tuple(row) for row in conn.execute(rows))
        report.looked_at["accounts and keys"] += there.total()
        for org, subject, _ in (told - there) + (there - told):
            report.add(
                "account_differs",
                f"organization {org}, {str(subject)[:80]}",
                f"what is stored and the events do not agree: {action}",
            )
