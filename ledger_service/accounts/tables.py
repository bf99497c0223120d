"""Tables of organizations, API keys and what was done to them."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Table

from ledger_service.storage.metadata import blob, instant, integer, metadata, row_id, text

organizations = Table(
    "organizations",
    metadata,
    row_id(),
    text("slug", unique=True),
    text("name"),
    instant("created"),
)

api_keys = Table(
    "api_keys",
    metadata,
    row_id(),
    # The public part: it stands in logs and lists, and finds the row without telling the secret.
    text("prefix", unique=True),
    integer("org", ForeignKey("organizations.id"), index=True),
    # A 256-bit random secret needs no slow hash: there is nothing to guess.
    blob("secret_sha256"),
    text("scopes"),
    text("label"),
    instant("created"),
    instant("expires", nullable=True),
    instant("revoked", nullable=True),
)

# Who has signed in on the pages. A row is deleted when its session ends: what was is told by account_events.
sessions = Table(
    "sessions",
    metadata,
    row_id(),
    # Of the token only its hash: who reads the database cannot take a session over.
    blob("token_sha256", unique=True),
    integer("key", ForeignKey("api_keys.id"), index=True),
    instant("began"),
    instant("used"),
    sqlite_autoincrement=True,
)

# Written in the transaction of the change that it tells of.
account_events = Table(
    "account_events",
    metadata,
    row_id(),
    instant("at"),
    integer("org", ForeignKey("organizations.id"), index=True),
    text("action"),
    text("subject"),
)
