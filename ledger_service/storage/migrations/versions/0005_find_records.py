"""Find an organization's records by time and by reference."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.add_column("records", sa.Column("reference_span", sa.BigInteger(), nullable=True))
    op.execute("UPDATE records SET reference_span = id >> 14 WHERE reference IS NOT NULL")
    op.create_index(
        op.f("ix_records_reference_span_reference"),
        "records",
        ["reference_span", "reference"],
        unique=False,
    )
    op.create_index(
        op.f("ix_records_org_id_kind_accepted"), "records", ["org_id", "kind", "accepted"], unique=False
    )
