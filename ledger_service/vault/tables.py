"""The tables of the vault."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Table, UniqueConstraint

from ledger_service.storage.metadata import blob, integer, metadata, row_id, text

ERASED: Final = 0
"""In place of the generation of the key that wraps it: this key was erased, and its row overwritten."""

# One row is one key: of an organization, or of one data subject of it. Overwriting it erases whatever the
# key sealed; the row stays (`records/destruction.py` says why). Numbers are never given out twice, since
# sealed payloads refer to them.
vault_keys: Final = Table(
    "vault_keys",
    metadata,
    row_id(),
    integer("org_id"),
    text("scope"),  # "org" or "subject"
    blob("lookup"),  # blind index of the subject; empty for the organization itself
    integer("generation"),  # of this key: part of what a sealed payload is bound to
    integer("kek_generation"),  # of the key that wraps it: rewrapping changes this and `wrapped` only
    blob("wrapped"),
    UniqueConstraint("org_id", "scope", "lookup"),
    sqlite_autoincrement=True,
)
