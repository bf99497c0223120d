"""Which changes of status contracts hold, and which they still lack."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "status_cursors",
        sa.Column("contract", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"], ["chain_contracts.id"], name=op.f("fk_status_cursors_contract_chain_contracts")
        ),
        sa.ForeignKeyConstraint(["log"], ["logs.id"], name=op.f("fk_status_cursors_log_logs")),
        sa.PrimaryKeyConstraint("contract", "log", name=op.f("pk_status_cursors")),
    )
    op.create_table(
        "status_mirrors",
        sa.Column("contract", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("explanation", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.CheckConstraint("outcome IN ('mirrored', 'refused')", name=op.f("ck_status_mirrors_outcome")),
        sa.ForeignKeyConstraint(
            ["contract"], ["chain_contracts.id"], name=op.f("fk_status_mirrors_contract_chain_contracts")
        ),
        sa.ForeignKeyConstraint(["log"], ["logs.id"], name=op.f("fk_status_mirrors_log_logs")),
        sa.PrimaryKeyConstraint("contract", "log", "explanation", name=op.f("pk_status_mirrors")),
    )
    op.create_index(
        "ix_status_mirrors_block_number", "status_mirrors", ["contract", "block_number"], unique=False
    )
    op.create_index(
        "ix_status_mirrors_outcome",
        "status_mirrors",
        ["outcome", "contract", "log", "explanation"],
        unique=False,
    )
    op.create_index("ix_status_mirrors_record", "status_mirrors", ["log", "record"], unique=False)
