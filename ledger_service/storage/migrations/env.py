"""What Alembic runs: the revisions, on a connection whose transaction belongs to somebody else."""

from __future__ import annotations

from alembic import context

from ledger_service.storage.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
