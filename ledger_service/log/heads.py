"""The head of a log: how far it is signed, what is about to be signed, and who may write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select, update

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
    row = conn.execute(_HEAD_LOCKED if lock else _HEAD, {"log": log_id}).first()
    if row is None:
        raise UnknownLogError
    intent = None
    if row.intent_size is not None:
        intent = Intent(TreeSize(row.intent_size), RootHash(bytes(row.intent_root)), row.intent_timestamp)
    return Head(log_id, TreeSize(row.size), RootHash(bytes(row.root)), row.timestamp, row.epoch, intent)


def store_intent(conn: Connection, head: Head, intent: Intent, *, epoch: int) -> None:
    """Store what is about to be signed, if the head is still `head`; raises FencedError when it is not."""
    _swap(conn, head, replace(head, epoch=epoch, intent=intent))


def fulfil_intent(conn: Connection, head: Head, *, epoch: int) -> None:
    """Make the intent of `head` the head, if it is still `head`; raises FencedError when it is not."""
    intent = head.intent
    assert intent is not None
    _swap(conn, head, Head(head.log_id, intent.size, intent.root, intent.timestamp, epoch, intent=None))


# Built once: building a statement costs as much as running it.
_HEAD: Final = select(log_heads).where(log_heads.c.log_id == bindparam("log"))
_HEAD_LOCKED: Final = _HEAD.with_for_update()
_SWAPPED: Final = ("size", "root", "timestamp", "epoch", "intent_size", "intent_root", "intent_timestamp")
_SWAP: Final = (
    update(log_heads)
    .where(log_heads.c.log_id == bindparam("log"))
    .where(*[log_heads.c[name].is_not_distinct_from(bindparam(f"old_{name}")) for name in _SWAPPED])
    .values({name: bindparam(f"new_{name}") for name in _SWAPPED})
)


def _swap(conn: Connection, old: Head, new: Head) -> None:
    values: dict[str, int | bytes | None] = {"log": old.log_id}
    for prefix, head in (("old", old), ("new", new)):
        intent = head.intent
        values |= {
            f"{prefix}_size": head.size,
            f"{prefix}_root": head.root,
            f"{prefix}_timestamp": head.timestamp,
            f"{prefix}_epoch": head.epoch,
            f"{prefix}_intent_size": None if intent is None else intent.size,
            f"{prefix}_intent_root": None if intent is None else intent.root,
            f"{prefix}_intent_timestamp": None if intent is None else intent.timestamp,
        }
    if conn.execute(_SWAP, values).rowcount != 1:
        raise FencedError(log_id=old.log_id, size=old.size)
