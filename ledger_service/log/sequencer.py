"""The sequencer: takes accepted records in order, gives each its index, and signs what it has read back.

One step is two commits with a signature between them:

    log.assign  indexes, entries, tiles and the intent, if the head is still the one that was read
    (read back, recompute, sign)
    log.sign    the signed checkpoint, and the intent becomes the head

A crash before `log.assign` leaves the outbox as it was. A crash between the two leaves an intent: the
next step reads it back and signs that same size and root before it does anything else. Whichever set of
signatures is stored first is the one that is published; nobody has seen another. A crash after
`log.sign` leaves nothing to do.

Nothing is remembered between steps but the epoch. So recovery is the normal path, and a second sequencer
on the same log is found out by the first swap that it makes or loses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select, update

from ledger_service.errors import ClockError, CorruptLogError, FencedError
from ledger_service.log.heads import Head, Intent, fulfil_intent, read_head, store_intent
from ledger_service.log.rereading import Reread, reread_intent
from ledger_service.log.signers import sign_checkpoint
from ledger_service.log.tables import checkpoints, log_entries, log_heads, logs
from ledger_service.log.tiles import StoredTiles, store_tiles
from ledger_service.proofs.checkpoint import Checkpoint
from ledger_service.proofs.merkle import InclusionProver, extend_tiles
from ledger_service.proofs.types import LeafIndex, Origin, RootHash, TreeSize
from ledger_service.records.outbox import WAITING_ROWS, clear_through, waiting_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.log.signers import CheckpointSigner
    from ledger_service.storage.engine import Database

MOST_ENTRIES: Final = 4_096
"""Entries in one step: enough to share the cost of three commits, few enough to hold in memory."""
MOST_BEHIND_S: Final = 5
"""A clock this many seconds behind the newest signature is waited out; further behind it is an alarm."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A step that is done: `records` have the indexes from `first` on, `note` is the checkpoint over them."""

    log_id: int
    first: LeafIndex
    size: TreeSize
    root: RootHash
    timestamp: int
    note: bytes = field(repr=False)
    records: tuple[int, ...] = field(repr=False)
    prover: InclusionProver = field(repr=False)

    def prove(self, index: LeafIndex) -> tuple[bytes, ...]:
        """The inclusion proof of one of the entries of this step, from tiles that were read back already."""
        return self.prover.prove(index)


class Sequencer:
    """Grows logs. One at a time for each log: a second one is fenced off, or fences this one off."""

    __slots__ = ("_clock", "_epochs", "_signers_of", "database")

    def __init__(
        self,
        database: Database,
        *,
        signers_of: Callable[[Origin, int], Sequence[CheckpointSigner]],
        clock: Clock,
    ) -> None:
        """Write to `database`, sign with what `signers_of(origin, era)` gives, Ed25519 first."""
        self.database = database
        self._signers_of = signers_of
        self._clock = clock
        self._epochs: dict[int, int] = {}

    def sequence(self, log_id: int, *, limit: int = MOST_ENTRIES) -> Sequenced | None:
        """Sequence, sign and publish what waits for a log, at most `limit` entries; None when nothing waits.

        An intent left by a crash is finished instead, and what waits is left for the next call. Raises
        FencedError (another sequencer has this log), ClockError, CorruptLogError, StorageError.
        """
        # A crash inside this transaction leaves the outbox full and no index given.
        with self.database.write("log.assign") as conn:
            head, epoch = self._take(conn, log_id)
            if head.intent is None and not self._assign(conn, head, epoch=epoch, limit=limit):
                return None
        self._epochs[log_id] = epoch
        # From here on there is an intent, and any crash leads back to this line.
        return self._finish(log_id)

    def forget(self) -> None:
        """Let go of every log, so that the next step takes it over like a new sequencer."""
        self._epochs.clear()

    def recover(self, log_id: int) -> Sequenced | None:
        """Finish what a crash left unsigned; None when there is nothing. Raises as `sequence` does."""
        with self.database.read() as conn:
            head = read_head(conn, log_id)
        return None if head.intent is None else self.sequence(log_id)

    def heartbeat(self, log_id: int) -> Sequenced | None:
        """Sign the newest checkpoint again at the present time, so that silence differs from death.

        None for a log without entries. Raises as `sequence` does.
        """
        with self.database.write("log.assign") as conn:
            head, epoch = self._take(conn, log_id)
            if head.intent is None:
                if head.size == 0:
                    return None
                timestamp = max(self._timestamp_after(head), head.timestamp + 1)
                store_intent(conn, head, Intent(head.size, head.root, timestamp), epoch=epoch)
        self._epochs[log_id] = epoch
        return self._finish(log_id)

    def unfinished(self) -> set[int]:
        """The logs for which something waits, or in which something was begun."""
        with self.database.read() as conn:
            begun = conn.execute(select(log_heads.c.log_id).where(log_heads.c.intent_size.is_not(None)))
            return {*begun.scalars(), *waiting_logs(conn)}

    def overdue(self, heartbeat_s: float) -> list[int]:
        """The logs whose newest signature is at least this old."""
        latest = int(self._clock.now().timestamp() - heartbeat_s)
        old = select(log_heads.c.log_id).where(log_heads.c.size > 0, log_heads.c.timestamp <= latest)
        with self.database.read() as conn:
            return sorted(conn.execute(old).scalars())

    def _assign(self, conn: Connection, head: Head, *, epoch: int, limit: int) -> bool:
        """Move what waits into the log, as an intent. Entries go from table to table inside the database."""
        places = {"log": head.log_id, "first": head.size}
        if conn.execute(_FIRST_MOVED, places).first() is not None:
            raise CorruptLogError(log_id=head.log_id, size=head.size, problem="entries beyond the head")
        conn.execute(_MOVE, {"log": head.log_id, "before": head.size - 1, "limit": limit})
        moved = conn.execute(_MOVED, places).all()
        if not moved:
            return False
        if clear_through(conn, head.log_id, last_record=moved[-1].record) != len(moved):
            raise CorruptLogError(log_id=head.log_id, size=head.size, problem="records out of order")
        tiles, root = extend_tiles(StoredTiles(conn, head.log_id), head.size, [row.leaf for row in moved])
        store_tiles(conn, head.log_id, tiles)
        size = TreeSize(head.size + len(moved))
        store_intent(conn, head, Intent(size, root, self._timestamp_after(head)), epoch=epoch)
        return True

    def _finish(self, log_id: int) -> Sequenced:
        with self.database.read() as conn:
            head = read_head(conn, log_id)
            if head.intent is None or head.epoch != self._epochs[log_id]:
                raise FencedError(log_id=log_id)
            reread = reread_intent(conn, head)
            # Keys change only while nothing is intended, so the era stays what it is here until we are done.
            log = conn.execute(_LOG, {"log": log_id}).one()
        intent = head.intent
        # Signing the same size and root twice is harmless; signing before the read above would not be.
        checkpoint = Checkpoint(Origin(log.origin), intent.size, intent.root)
        signers = self._signers_of(checkpoint.origin, log.era)
        note = sign_checkpoint(checkpoint, timestamp=intent.timestamp, signers=signers)
        # A crash before this commit: the same text is signed again. After it: the checkpoint is published.
        with self.database.write("log.sign") as conn:
            fulfil_intent(conn, head, epoch=head.epoch)
            _store_note(conn, head, intent, note)
        return _sequenced(head, intent, note, reread)

    def _take(self, conn: Connection, log_id: int) -> tuple[Head, int]:
        """The head, locked, and the epoch to write under: ours, or the next one when we take the log over."""
        head = read_head(conn, log_id, lock=True)
        mine = self._epochs.get(log_id, head.epoch + 1)
        if log_id in self._epochs and mine != head.epoch:
            raise FencedError(log_id=log_id, epoch=mine, current=head.epoch)
        if head.intent is not None and mine != head.epoch:
            # What another one intended is ours to finish from here on, and no longer its own.
            store_intent(conn, head, head.intent, epoch=mine)
        return head, mine

    def _timestamp_after(self, head: Head) -> int:
        """The time to sign: now, or the time signed last when the clock has stepped back a little."""
        now = int(self._clock.now().timestamp())
        if head.timestamp - now > MOST_BEHIND_S:
            raise ClockError(behind_s=head.timestamp - now)
        return max(now, head.timestamp)


_LOG: Final = select(logs.c.origin, logs.c.era).where(logs.c.id == bindparam("log"))
_CHECKPOINT: Final = insert(checkpoints)
_MOVE: Final = insert(log_entries).from_select(["record", "log_id", "idx", "leaf", "entry"], WAITING_ROWS)
_MOVED: Final = (
    select(log_entries.c.record, log_entries.c.leaf)
    .where(log_entries.c.log_id == bindparam("log"), log_entries.c.idx >= bindparam("first"))
    .order_by(log_entries.c.idx)
)
_FIRST_MOVED: Final = _MOVED.limit(1)


def _store_note(conn: Connection, head: Head, intent: Intent, note: bytes) -> None:
    if intent.size > head.size:
        values = {"root": intent.root, "timestamp": intent.timestamp, "note": note}
        conn.execute(_CHECKPOINT, {"log_id": head.log_id, "size": intent.size, **values})
        return
    same = (checkpoints.c.log_id == head.log_id, checkpoints.c.size == intent.size)
    fresh = {"fresh_timestamp": intent.timestamp, "fresh_note": note}
    if conn.execute(update(checkpoints).where(*same).values(fresh)).rowcount != 1:
        raise CorruptLogError(log_id=head.log_id, size=head.size, problem="the head has no checkpoint")


def _sequenced(head: Head, intent: Intent, note: bytes, reread: Reread) -> Sequenced:
    return Sequenced(
        log_id=head.log_id,
        first=LeafIndex(head.size),
        size=intent.size,
        root=intent.root,
        timestamp=intent.timestamp,
        note=note,
        records=reread.records,
        prover=InclusionProver(reread.tiles, intent.size),
    )
