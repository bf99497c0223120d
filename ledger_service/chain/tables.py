"""Tables of the chain: what it is, what we asked of it, and what it was seen to hold.

Nothing here is believed about the present: every look at the chain recomputes it. The rows remember what
must not be lost (pins, nonces, signed transactions) and what must never be forgotten (anchors that were
once seen).
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from ledger_service.log import tables as log_tables
from ledger_service.storage.metadata import blob, instant, integer, metadata, row_id, text

_LOGS = log_tables.logs.name

# A chain is what it was at first use. A row is never changed.
chains = Table(
    "chains",
    metadata,
    row_id(),
    integer("chain_id"),
    blob("genesis_hash"),
    # 1 if the operator runs the chain: its order counts, its time does not.
    integer("self_anchored"),
    instant("pinned"),
    UniqueConstraint("chain_id", "genesis_hash"),
)

# The accounts that publish on a chain, once the first of them was ever replaced. `key` names the file of the
# account's key, "" for the one that the settings name. `since` is null until the account has taken over.
publishers = Table(
    "publishers",
    metadata,
    row_id(),
    integer("chain", ForeignKey("chains.id")),
    blob("address"),
    text("key"),
    instant("named"),
    instant("since", nullable=True),
    UniqueConstraint("chain", "address"),
)

# What we want done on a chain, once: one nonce, one call, any number of signed transactions that carry it.
chain_actions = Table(
    "chain_actions",
    metadata,
    row_id(),
    integer("chain", ForeignKey("chains.id")),
    blob("sender"),
    integer("nonce"),
    # deploy, open, publish, rotate, role, fund, status, fill (nothing, where a nonce would be missing), and
    # what an operator asks for
    text("kind"),
    integer("log", ForeignKey(f"{_LOGS}.id"), nullable=True),
    # Of a publication the checkpoint's size, of a change of status the position of what explains it.
    integer("size", nullable=True),
    blob("receiver", nullable=True),
    blob("calldata"),
    # Wei that are sent along, as a big-endian number; null for none.
    blob("value", nullable=True),
    instant("planned"),
    # done, reverted or displaced (another transaction took the nonce); null while the chain does not hold it.
    text("outcome", nullable=True),
    integer("block_number", nullable=True),
    blob("block_hash", nullable=True),
    UniqueConstraint("chain", "sender", "nonce"),
    Index("ix_chain_actions_unsettled", "chain", "outcome"),
    Index("ix_chain_actions_block_number", "chain", "block_number"),
    CheckConstraint("outcome IN ('done', 'reverted', 'displaced')", name="outcome"),
)

# Signed before it is sent, kept afterwards: whichever of them the chain takes is recognized.
chain_transactions = Table(
    "chain_transactions",
    metadata,
    row_id(),
    integer("action", ForeignKey("chain_actions.id")),
    # Not unique alone: two chains with one chain id take the same bytes.
    blob("tx_hash"),
    blob("raw"),
    integer("gas"),
    integer("max_fee_wei"),
    integer("priority_fee_wei", nullable=True),
    integer("planned_height"),
    instant("planned"),
    UniqueConstraint("action", "tx_hash"),
)

# A contract of ours. Without code_hash its deployment is under way; deploy_block_hash is pinned once it is
# final.
chain_contracts = Table(
    "chain_contracts",
    metadata,
    row_id(),
    integer("chain", ForeignKey("chains.id")),
    text("kind"),
    blob("address"),
    integer("action", ForeignKey("chain_actions.id"), nullable=True),
    blob("code_hash", nullable=True),
    integer("deploy_block_number", nullable=True),
    blob("deploy_block_hash", nullable=True),
    UniqueConstraint("chain", "address"),
)

# Under which id a contract knows a log.
chain_logs = Table(
    "chain_logs",
    metadata,
    integer("contract", ForeignKey("chain_contracts.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    blob("log_id"),
    # The era of the log's keys whose head key the contract was last seen to obey.
    integer("era", server_default="0"),
    PrimaryKeyConstraint("contract", "log"),
)

# A checkpoint that is meant for, or was seen on, a chain. At most one row for each log and size.
anchors = Table(
    "anchors",
    metadata,
    row_id(),
    integer("contract", ForeignKey("chain_contracts.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    integer("size"),
    blob("root"),
    # published (planned, or taken back by a reorganization), anchored, final
    text("stage"),
    instant("planned"),
    # A final anchor that the chain no longer holds. The row stays final; this is the alarm.
    instant("disputed", nullable=True),
    UniqueConstraint("contract", "log", "size"),
    CheckConstraint("stage IN ('published', 'anchored', 'final')", name="stage"),
    Index("ix_anchors_log_size", "log", "size"),
    Index("ix_anchors_stage", "contract", "stage"),
    Index("ix_anchors_disputed", "disputed"),
)

# Each block in which an anchor was seen, for ever, with all that evidence needs. `lost` is set by a
# reorganization.
anchor_sightings = Table(
    "anchor_sightings",
    metadata,
    row_id(),
    integer("anchor", ForeignKey("anchors.id")),
    integer("chain", ForeignKey("chains.id")),
    blob("log_id"),
    integer("time"),
    integer("previous_size"),
    blob("previous_root", nullable=True),
    integer("previous_time", nullable=True),
    integer("block_number"),
    blob("block_hash"),
    integer("block_time"),
    blob("tx_hash"),
    blob("header_rlp", nullable=True),
    instant("seen"),
    instant("lost", nullable=True),
    UniqueConstraint("anchor", "block_hash"),
    Index("ix_anchor_sightings_block_number", "chain", "block_number"),
)

# A change of a record's status that the log holds under an accepted head, and whether the contract holds it.
# `record` and `explanation` are positions in the log.
status_mirrors = Table(
    "status_mirrors",
    metadata,
    integer("contract", ForeignKey("chain_contracts.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    integer("explanation"),
    integer("record"),
    integer("state"),
    integer("reason"),
    # mirrored or refused; null while it is neither, or when a reorganization took it back.
    text("outcome", nullable=True),
    # The block of the event, or the one in whose state the contract refused.
    integer("block_number", nullable=True),
    blob("block_hash", nullable=True),
    blob("tx_hash", nullable=True),
    integer("since", nullable=True),
    text("refusal", nullable=True),
    PrimaryKeyConstraint("contract", "log", "explanation"),
    CheckConstraint("outcome IN ('mirrored', 'refused')", name="outcome"),
    Index("ix_status_mirrors_outcome", "outcome", "contract", "log", "explanation"),
    Index("ix_status_mirrors_block_number", "contract", "block_number"),
    Index("ix_status_mirrors_record", "log", "record"),
)

# Up to which position the changes of a log stand in the table above.
status_cursors = Table(
    "status_cursors",
    metadata,
    integer("contract", ForeignKey("chain_contracts.id")),
    integer("log", ForeignKey(f"{_LOGS}.id")),
    integer("size"),
    PrimaryKeyConstraint("contract", "log"),
)

# What an operator must look at. An alarm stays open until what raised it is no longer so.
chain_alarms = Table(
    "chain_alarms",
    metadata,
    row_id(),
    integer("chain", ForeignKey("chains.id"), nullable=True),
    text("code"),
    text("subject"),
    text("detail"),
    instant("raised"),
    instant("cleared", nullable=True),
    Index("ix_chain_alarms_code_subject", "code", "subject"),
)
