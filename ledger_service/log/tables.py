"""The tables of logs. Entries and tiles are written before the head names them and never change afterwards.

A head carries the intent: the checkpoint that is about to be signed. Between the two commits of one step
of the sequencer the intent is what a crash leaves behind, and the only thing that may be signed next.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, UniqueConstraint

from ledger_service.storage.metadata import RowId, blob, instant, integer, metadata, row_id, text

logs: Final = Table(
    "logs",
    metadata,
    row_id(),
    text("origin", unique=True),
    integer("org_id"),
    text("org"),
    text("collection"),
    # Names of kinds, separated by spaces, and verifier keys, one a line, as the opening entry fixes them.
    text("kinds"),
    text("vkeys"),
    instant("created"),
    # Which row of log_eras has the keys that sign now; 0 without any as long as the opening's keys do.
    integer("era", server_default="0"),
    sqlite_autoincrement=True,
)

# The keys of logs whose keys were ever replaced: era 0 as the opening fixed it, then one row for each
# rotation. An era ends at the size at which the next one begins. Nothing of a row changes but `leaked`: 1
# once the keys must be believed to be in other hands.
log_eras: Final = Table(
    "log_eras",
    metadata,
    integer("log_id"),
    integer("era"),
    integer("from_size"),
    text("vkeys"),
    text("status_vkey"),
    text("acceptance_vkey"),
    instant("began"),
    integer("leaked"),
    PrimaryKeyConstraint("log_id", "era"),
)

log_heads: Final = Table(
    "log_heads",
    metadata,
    Column("log_id", BigInteger(), primary_key=True, autoincrement=False),
    integer("size"),
    blob("root"),
    # Time of the newest signature, in seconds since 1970 as C2SP tlog-cosignature has it.
    integer("timestamp"),
    # Which sequencer writes here: it counts up with each one that takes the log over.
    integer("epoch"),
    integer("intent_size", nullable=True),
    blob("intent_root", nullable=True),
    integer("intent_timestamp", nullable=True),
)

log_entries: Final = Table(
    "log_entries",
    metadata,
    Column("record", RowId, primary_key=True, autoincrement=False),
    integer("log_id"),
    integer("idx"),
    blob("leaf"),
    blob("entry"),
    UniqueConstraint("log_id", "idx"),
)

# One row for each tile, which grows to 256 hashes: a partial tile is the beginning of the row.
log_tiles: Final = Table(
    "log_tiles",
    metadata,
    integer("log_id"),
    integer("level"),
    integer("idx"),
    blob("hashes"),
    PrimaryKeyConstraint("log_id", "level", "idx"),
)

# Every checkpoint that was ever signed, for ever. A log without new entries signs the same size and root
# again at a later time: the first such note stays (receipts repeat it), the newest stands beside it.
checkpoints: Final = Table(
    "checkpoints",
    metadata,
    integer("log_id"),
    integer("size"),
    blob("root"),
    integer("timestamp"),
    blob("note"),
    integer("fresh_timestamp", nullable=True),
    blob("fresh_note", nullable=True),
    PrimaryKeyConstraint("log_id", "size"),
)

# One row: the process that sequences and anchors now, until when at least. See lease.py.
sequencer_lease: Final = Table(
    "sequencer_lease",
    metadata,
    Column("id", BigInteger(), primary_key=True, autoincrement=False),
    text("host"),
    integer("pid"),
    text("token"),
    instant("until"),
)

# The signed reports of audits, for ever: each names the one before it. See audit_reports.py.
audit_reports: Final = Table(
    "audit_reports",
    metadata,
    Column("number", BigInteger(), primary_key=True, autoincrement=False),
    blob("note"),
)
