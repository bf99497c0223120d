"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "chains",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("genesis_hash", sa.LargeBinary(), nullable=False),
        sa.Column("self_anchored", sa.BigInteger(), nullable=False),
        sa.Column("pinned", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chains")),
        sa.UniqueConstraint("chain_id", "genesis_hash", name=op.f("uq_chains_chain_id_genesis_hash")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("fresh_timestamp", sa.BigInteger(), nullable=True),
        sa.Column("fresh_note", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("log_id", "size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "key", "line", name=op.f("pk_idempotency_keys")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_entries",
        sa.Column(
            "record",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_log_entries")),
        sa.UniqueConstraint("log_id", "idx", name=op.f("uq_log_entries_log_id_idx")),
    )
    op.create_table(
        "log_heads",
        sa.Column("log_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("intent_size", sa.BigInteger(), nullable=True),
        sa.Column("intent_root", sa.LargeBinary(), nullable=True),
        sa.Column("intent_timestamp", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_log_heads")),
    )
    op.create_table(
        "log_tiles",
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "level", "idx", name=op.f("pk_log_tiles")),
    )
    op.create_table(
        "logs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("vkeys", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logs")),
        sa.UniqueConstraint("origin", name=op.f("uq_logs_origin")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "organizations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organizations_slug")),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "record",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_log_id_record"), "outbox", ["log_id", "record"], unique=False)
    op.create_table(
        "record_counter",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_counter")),
    )
    op.create_table(
        "record_salts",
        sa.Column(
            "record",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_record_salts")),
    )
    op.create_table(
        "records",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("rid", sa.LargeBinary(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("rid", name=op.f("uq_records_rid")),
    )
    op.create_table(
        "sealed_payloads",
        sa.Column(
            "record",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_sealed_payloads")),
    )
    op.create_table(
        "vault_keys",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("kek_generation", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_keys")),
        sa.UniqueConstraint("org_id", "scope", "lookup", name=op.f("uq_vault_keys_org_id_scope_lookup")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("org", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org"], ["organizations.id"], name=op.f("fk_account_events_org_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_events")),
    )
    op.create_index(op.f("ix_account_events_org"), "account_events", ["org"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("org", sa.BigInteger(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["org"], ["organizations.id"], name=op.f("fk_api_keys_org_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_index(op.f("ix_api_keys_org"), "api_keys", ["org"], unique=False)
    op.create_table(
        "chain_actions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("chain", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("receiver", sa.LargeBinary(), nullable=True),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'reverted', 'displaced')", name=op.f("ck_chain_actions_outcome")
        ),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_chain_actions_chain_chains")),
        sa.ForeignKeyConstraint(["log"], ["logs.id"], name=op.f("fk_chain_actions_log_logs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_actions")),
        sa.UniqueConstraint("chain", "sender", "nonce", name=op.f("uq_chain_actions_chain_sender_nonce")),
    )
    op.create_index("ix_chain_actions_unsettled", "chain_actions", ["chain", "outcome"], unique=False)
    op.create_index("ix_chain_actions_block_number", "chain_actions", ["chain", "block_number"], unique=False)
    op.create_table(
        "chain_alarms",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("chain", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("cleared", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_chain_alarms_chain_chains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_alarms")),
    )
    op.create_index("ix_chain_alarms_code_subject", "chain_alarms", ["code", "subject"], unique=False)
    op.create_table(
        "chain_contracts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("chain", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.BigInteger(), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("deploy_block_number", sa.BigInteger(), nullable=True),
        sa.Column("deploy_block_hash", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["action"], ["chain_actions.id"], name=op.f("fk_chain_contracts_action_chain_actions")
        ),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_chain_contracts_chain_chains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_contracts")),
        sa.UniqueConstraint("chain", "address", name=op.f("uq_chain_contracts_chain_address")),
    )
    op.create_table(
        "chain_transactions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("action", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("max_fee_wei", sa.BigInteger(), nullable=False),
        sa.Column("priority_fee_wei", sa.BigInteger(), nullable=True),
        sa.Column("planned_height", sa.BigInteger(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["action"], ["chain_actions.id"], name=op.f("fk_chain_transactions_action_chain_actions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_transactions")),
        sa.UniqueConstraint("action", "tx_hash", name=op.f("uq_chain_transactions_action_tx_hash")),
    )
    op.create_table(
        "anchors",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("contract", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("disputed", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("stage IN ('published', 'anchored', 'final')", name=op.f("ck_anchors_stage")),
        sa.ForeignKeyConstraint(
            ["contract"], ["chain_contracts.id"], name=op.f("fk_anchors_contract_chain_contracts")
        ),
        sa.ForeignKeyConstraint(["log"], ["logs.id"], name=op.f("fk_anchors_log_logs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchors")),
        sa.UniqueConstraint("contract", "log", "size", name=op.f("uq_anchors_contract_log_size")),
    )
    op.create_index("ix_anchors_log_size", "anchors", ["log", "size"], unique=False)
    op.create_index("ix_anchors_stage", "anchors", ["contract", "stage"], unique=False)
    op.create_index("ix_anchors_disputed", "anchors", ["disputed"], unique=False)
    op.create_table(
        "chain_logs",
        sa.Column("contract", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"], ["chain_contracts.id"], name=op.f("fk_chain_logs_contract_chain_contracts")
        ),
        sa.ForeignKeyConstraint(["log"], ["logs.id"], name=op.f("fk_chain_logs_log_logs")),
        sa.PrimaryKeyConstraint("contract", "log", name=op.f("pk_chain_logs")),
    )
    op.create_table(
        "anchor_sightings",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("anchor", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("previous_size", sa.BigInteger(), nullable=False),
        sa.Column("previous_root", sa.LargeBinary(), nullable=True),
        sa.Column("previous_time", sa.BigInteger(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_time", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("header_rlp", sa.LargeBinary(), nullable=True),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["anchor"], ["anchors.id"], name=op.f("fk_anchor_sightings_anchor_anchors")),
        sa.ForeignKeyConstraint(["chain"], ["chains.id"], name=op.f("fk_anchor_sightings_chain_chains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchor_sightings")),
        sa.UniqueConstraint("anchor", "block_hash", name=op.f("uq_anchor_sightings_anchor_block_hash")),
    )
    op.create_index(
        "ix_anchor_sightings_block_number", "anchor_sightings", ["chain", "block_number"], unique=False
    )
