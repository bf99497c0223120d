"""The keys of logs over time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "log_eras",
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("era", sa.BigInteger(), nullable=False),
        sa.Column("from_size", sa.BigInteger(), nullable=False),
        sa.Column("vkeys", sa.Text(), nullable=False),
        sa.Column("status_vkey", sa.Text(), nullable=False),
        sa.Column("acceptance_vkey", sa.Text(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("leaked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "era", name=op.f("pk_log_eras")),
    )
    op.add_column("chain_logs", sa.Column("era", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("logs", sa.Column("era", sa.BigInteger(), server_default="0", nullable=False))
