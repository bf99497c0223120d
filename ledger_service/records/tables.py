"""The tables of records. A record's row never changes; what is erasable stands in rows of its own.

Numbers of records are handed out by `record_counter` inside the accepting transaction, so that they are
taken in the order of commit on every engine: whoever reads the outbox up to a number has missed nothing
below it. Rows are written by the thousand. So every table and index grows at its end, except for one small
index over random ids; and rows name each other by number without foreign keys, which the auditor checks
instead.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table

from ledger_service.storage.metadata import RowId, blob, instant, integer, metadata, text

SPAN_BITS: Final = 14
"""References are indexed by spans of 2^14 record numbers.

References are random, and in one index over all of them each would touch a page of its own. Within a span
they share some hundred pages, however long the log is; a look-up asks each span once, 62 of them at 10⁶ records.
"""


def _record_number(name: str) -> Column[int]:
    return Column(name, RowId, primary_key=True, autoincrement=False)


records: Final = Table(
    "records",
    metadata,
    _record_number("id"),
    # The public id, 16 random bytes; in text it is their base64url.
    blob("rid", unique=True),
    integer("org_id"),
    integer("log_id"),
    text("kind"),
    instant("accepted"),
    # The writer's own number for it, as a blind index under the organization's key.
    blob("reference", nullable=True),
    # Which span of record numbers the reference is looked up in (see SPAN_BITS); null without one.
    integer("reference_span", nullable=True),
    # The key that its payload is sealed under; null for a record without private fields.
    integer("key_id", nullable=True),
    Index(None, "reference_span", "reference"),
    # An organization's records in time; each kind's part grows at its end.
    Index(None, "org_id", "kind", "accepted"),
)

# The salt of a record's own key. Deleting this row erases that one payload.
record_salts: Final = Table(
    "record_salts",
    metadata,
    _record_number("record"),
    blob("salt"),
)

sealed_payloads: Final = Table(
    "sealed_payloads",
    metadata,
    _record_number("record"),
    integer("generation"),
    blob("sealed"),
)

# One row for each key that a writer used. `line` numbers the rows of one bulk request and is 0
# otherwise, so that the rows of a bulk request lie side by side.
idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    integer("org_id"),
    blob("key"),
    integer("line"),
    integer("record"),
    blob("fingerprint"),
    PrimaryKeyConstraint("org_id", "key", "line"),
    sqlite_with_rowid=False,
)

# Accepted records that no log has given an index yet. The entry is what the log will hash.
outbox: Final = Table(
    "outbox",
    metadata,
    _record_number("record"),
    integer("log_id"),
    blob("leaf"),
    blob("entry"),
    Index(None, "log_id", "record"),
)

# Which earlier record a record points at: a refund at its purchase, a replacement at what it replaces.
record_pointers: Final = Table(
    "record_pointers",
    metadata,
    _record_number("record"),
    integer("target"),
    Index(None, "target"),
)

# What changed a record's status: read from the entries and stored with them, so that a status is found
# without reading the log. `explanation` is the record that says so; it changes one record at the most. The
# auditor derives every row again from the entries.
status_changes: Final = Table(
    "status_changes",
    metadata,
    _record_number("explanation"),
    integer("record"),
    integer("log_id"),
    text("state"),
    text("reason"),
    # From when on the change is in force, and when it was accepted.
    instant("since"),
    instant("accepted"),
    Index(None, "record"),
    Index(None, "log_id", "explanation"),
)

record_counter: Final = Table(
    "record_counter",
    metadata,
    Column("id", BigInteger(), primary_key=True, autoincrement=False),
    integer("last"),
)
