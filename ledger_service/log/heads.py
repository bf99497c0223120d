"""The head of a log: how far it is signed, what is about to be signed, and who may write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from ledger_service.errors import FencedError, UnknownLogError
from ledger_service.log.tables import log_heads
from ledger_service.proofs.merkle import EMPTY_ROOT
from ledger_service.proofs.types import RootHash, TreeSize

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Intent:
    """The checkpoint that is about to be signed. A heartbeat has the size and root of the head."""

    size: TreeSize
    root: RootHash
    timestamp: int


@dataclass(frozen=True, slots=True)
class Head:
    """Everything below `size` is signed. `epoch` counts the sequencers that took this log over."""

    log_id: int
    size: TreeSize
    root: RootHash
    timestamp: int
    epoch: int
    intent: Intent | None


def create_head(conn: Connection, log_id: int) -> None:
    """Store the head of a log without entries."""
    conn.execute(insert(log_heads).values(log_id=log_id, size=0, root=EMPTY_ROOT, timestamp=0, epoch=0))


def read_head(conn: Connection, log_id: int, *, lock: bool = False) -> Head:
    """Return the head; with `lock`, it is ours until the transaction ends. Raises UnknownLogError."""
    wanted = select(log_heads).where(log_heads.c.log_id == log_id)
    row = conn.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise UnknownLogError
    intent = None
    if row.intent_size is not None:
        intent = Intent(TreeSize(row.intent_size), RootHash(bytes(row.intent_root)), row.intent_timestamp)
    return Head(log_id, TreeSize(row.size), RootHash(bytes(row.root)), row.timestamp, row.epoch, intent)


def store_intent(conn: Connection, head: Head, intent: Intent, *, epoch: int) -> None:
    """Store what is about to be signed, if the head is still `head`; raises FencedError when it is not."""
    _swap(
        conn,
        head,
        {
            "epoch": epoch,
            "intent_size": intent.size,
            "intent_root": intent.root,
            "intent_timestamp": intent.timestamp,
        },
    )


def fulfil_intent(conn: Connection, head: Head, *, epoch: int) -> None:
    """Make the intent of `head` the head, if it is still `head`; raises FencedError when it is not."""
    assert head.intent is not None
    _swap(
        conn,
        head,
        {
            "epoch": epoch,
            "size": head.intent.size,
            "root": head.intent.root,
            "timestamp": head.intent.timestamp,
            "intent_size": None,
            "intent_root": None,
            "intent_timestamp": None,
        },
    )


def _swap(conn: Connection, head: Head, values: dict[str, int | bytes | None]) -> None:
    columns = log_heads.c
    intent = head.intent
    same = (
        columns.log_id == head.log_id,
        columns.size == head.size,
        columns.root == head.root,
        columns.epoch == head.epoch,
        columns.intent_size.is_(None) if intent is None else columns.intent_size == intent.size,
        columns.intent_root.is_(None) if intent is None else columns.intent_root == intent.root,
        columns.intent_timestamp.is_(None)
        if intent is None
        else columns.intent_timestamp == intent.timestamp,
    )
    if conn.execute(update(log_heads).where(*same).values(values)).rowcount != 1:
        raise FencedError(log_id=head.log_id, size=head.size)
