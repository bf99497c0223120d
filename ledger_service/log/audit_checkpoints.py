"""Auditing checkpoints: every one ever signed is held against the tree and against the log's keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select

from ledger_service.errors import LedgerError
from ledger_service.log.tables import checkpoints
from ledger_service.proofs.checkpoint import Checkpoint, check_signature, format_checkpoint
from ledger_service.proofs.note import ALG_EIP712, Note, VerifierKey, parse_note
from ledger_service.proofs.types import RootHash, TreeSize

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from ledger_service.log.directory import LogRow
    from ledger_service.log.findings import AuditReport
    from ledger_service.log.heads import Head

LineCheck: TypeAlias = Callable[[Note, VerifierKey], object]
"""Checks a signature line that the kernel cannot: returns when the key signed, else raises a LedgerError."""


class CheckpointAudit:
    """The checkpoints of one log, by size: ask for the next size and show the root there."""

    __slots__ = ("_check_line", "_head", "_last", "_log", "_next", "_report", "_rows", "_seen_head")

    def __init__(
        self, conn: Connection, log: LogRow, head: Head, *, report: AuditReport, check_line: LineCheck | None
    ) -> None:
        """Begin with the smallest."""
        self._log = log
        self._head = head
        self._report = report
        self._check_line = check_line
        wanted = select(checkpoints).where(checkpoints.c.log_id == log.id).order_by(checkpoints.c.size)
        self._rows = conn.execution_options(yield_per=200).execute(wanted)
        self._next: Row[Any] | None = self._rows.fetchone()
        self._last = 0
        self._seen_head = False

    @property
    def next_size(self) -> int | None:
        """The size of the next checkpoint, or None after the last."""
        return None if self._next is None else self._next.size

    def show(self, root: RootHash) -> None:
        """Check the next checkpoint against the root of the entries, and go on."""
        row = self._next
        assert row is not None
        where = f"{self._log.origin} checkpoint {row.size}"
        if row.root != root:
            self._report.add("checkpoint_root", where, "its root is not the root of the entries")
        self._check_note(row.note, row, row.timestamp, root, where=where)
        newest = row.timestamp
        if row.fresh_note is not None:
            newest = row.fresh_timestamp
            self._check_note(row.fresh_note, row, newest, root, where=f"{where} (signed again)")
            self._check_order(row.timestamp, newest, where)
        self._check_order(self._last, row.timestamp, where)
        self._last = newest
        if row.size == self._head.size:
            self._seen_head = True
            if newest != self._head.timestamp:
                self._report.add("head_time", where, "the head was signed at another time")
        self._next = self._rows.fetchone()

    def finish(self) -> None:
        """Report checkpoints beyond the entries, and a head without one."""
        while self._next is not None:
            where = f"{self._log.origin} checkpoint {self._next.size}"
            self._report.add("checkpoint_beyond", where, "it covers more entries than there are")
            self._next = self._rows.fetchone()
        if self._head.size and not self._seen_head:
            self._report.add(
                "head_unsigned", self._log.origin, f"no checkpoint of the head's size {self._head.size}"
            )

    def _check_order(self, before: int, after: int, where: str) -> None:
        if after < before:
            self._report.add("checkpoint_time", where, "it is older than a smaller one")

    def _check_note(self, data: bytes, row: Row[Any], timestamp: int, root: RootHash, *, where: str) -> None:
        self._report.looked_at["checkpoints"] += 1
        if row.size > self._head.size:
            self._report.add("checkpoint_beyond", where, "it is larger than the head")
        try:
            note = parse_note(bytes(data))
            expected = format_checkpoint(Checkpoint(self._log.origin, TreeSize(row.size), root))
        except LedgerError as error:
            self._report.add("checkpoint_note", where, error.text)
            return
        if note.text != expected:
            self._report.add("checkpoint_note", where, "its text is not the checkpoint of the entries")
        for vkey in self._keys_of(note, row.size):
            self._check_signature(note, vkey, timestamp, where)

    def _keys_of(self, note: Note, size: int) -> tuple[VerifierKey, ...]:
        """The keys that must have signed: of the eras that speak for this size, the newest that signed at all.

        A checkpoint of the size at which keys were replaced may be of either era, but of one altogether.
        """
        signed = {(line.name, line.key_id) for line in note.signatures}
        eras = [era for era in reversed(self._log.eras) if era.covers(size)]
        found = [era for era in eras if any((key.name, key.key_id) in signed for key in era.vkeys)]
        return (found or eras)[0].vkeys

    def _check_signature(self, note: Note, vkey: VerifierKey, timestamp: int, where: str) -> None:
        try:
            if vkey.alg == ALG_EIP712:
                if self._check_line is None:
                    self._report.looked_at["lines not checked"] += 1
                    return
                self._check_line(note, vkey)
            elif check_signature(note, vkey) not in {None, timestamp}:
                self._report.add(
                    "checkpoint_time", where, "the time that is signed is not the time that is stored"
                )
        except LedgerError as error:
            self._report.add("checkpoint_signature", where, error.text)
            return
        self._report.looked_at["signatures"] += 1
