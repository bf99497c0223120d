"""The table that the tests of storage write to, apart from the product's schema."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, UniqueConstraint

from ledger_service.storage.metadata import blob, row_id, text

metadata = MetaData()
notes = Table(
    "notes",
    metadata,
    row_id(),
    text("word"),
    blob("body", nullable=True),
    UniqueConstraint("word"),
    sqlite_autoincrement=True,
)
