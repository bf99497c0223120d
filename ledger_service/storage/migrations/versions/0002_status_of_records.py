"""Status of records: which record points at which, and what changed whose status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "record_pointers",
        sa.Column(
            "record",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_record_pointers")),
    )
    op.create_index(op.f("ix_record_pointers_target"), "record_pointers", ["target"], unique=False)
    op.create_table(
        "status_changes",
        sa.Column(
            "explanation",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("explanation", name=op.f("pk_status_changes")),
    )
    op.create_index(
        op.f("ix_status_changes_log_id_explanation"),
        "status_changes",
        ["log_id", "explanation"],
        unique=False,
    )
    op.create_index(op.f("ix_status_changes_record"), "status_changes", ["record"], unique=False)
