"""Tables of webhooks: where events go, how far each log was told of, and the events on their way."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from ledger_service.accounts import tables as account_tables
from ledger_service.log import tables as log_tables
from ledger_service.storage.metadata import blob, instant, integer, metadata, row_id, text

_LOGS: Final = log_tables.logs.name
_ORGANIZATIONS: Final = account_tables.organizations.name

webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    row_id(),
    text("name", unique=True),
    integer("org_id", ForeignKey(f"{_ORGANIZATIONS}.id")),
    text("url"),
    # The signing secret, sealed under the organization's key like a payload, at no record but this row.
    blob("salt"),
    integer("generation"),
    blob("sealed"),
    instant("created"),
    # Attempts in a row that failed, and when the next one is due: one pace for all that an endpoint is owed.
    integer("failures"),
    instant("due"),
    UniqueConstraint("org_id", "url"),
    # A number stands in what its deliveries are sealed and claimed by.
    sqlite_autoincrement=True,
)

# Up to which size of a log an endpoint was told, or what was final already when it was registered.
webhook_marks: Final = Table(
    "webhook_marks",
    metadata,
    integer("endpoint", ForeignKey(f"{webhook_endpoints.name}.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    integer("size"),
    PrimaryKeyConstraint("endpoint", "log"),
)

# The outbox: an event for one endpoint, with the very bytes that are signed at each attempt.
webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    row_id(),
    text("name", unique=True),
    integer("endpoint", ForeignKey(f"{webhook_endpoints.name}.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    integer("size"),
    blob("body"),
    instant("created"),
    # pending, delivered or dead (given up)
    text("state"),
    integer("attempts"),
    instant("attempted", nullable=True),
    integer("status", nullable=True),
    text("problem", nullable=True),
    UniqueConstraint("endpoint", "log", "size"),
    CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state"),
    Index("ix_webhook_deliveries_endpoint_state", "endpoint", "state", "id"),
    sqlite_autoincrement=True,
)
