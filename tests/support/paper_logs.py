"""Logs on paper: real trees and real line 3, without tables of their own, for tests of the chain alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from ledger_service.chain.head_signer import Eip712Signer
from ledger_service.chain.source import LoggedChange, LogHead, SignedCheckpoint
from ledger_service.log.tables import logs
from ledger_service.proofs.checkpoint import Checkpoint, format_checkpoint
from ledger_service.proofs.merkle import (
    EMPTY_ROOT,
    extend_tiles,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
)
from ledger_service.proofs.note import Note, format_note, format_vkey
from ledger_service.proofs.types import LeafIndex, Origin, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ledger_service.chain.states import RecordState


@dataclass
class PaperLog:
    """One log that grows in memory. `published` is the size of its newest checkpoint."""

    origin: str
    number: int = 0
    contract_kind: str = "PurchaseLedger"
    published: int = 0
    leaves: list[bytes] = field(default_factory=list)
    changes: list[LoggedChange] = field(default_factory=list)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the head key from the origin: the same log has the same key again."""
        self.signer = Eip712Signer(sha256(self.origin.encode()).digest(), name=self.origin)

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Serve the tree code."""
        return self.tiles[level, index][: width * 32]

    def grow(self, entries: int, *, word: str = "entry") -> PaperLog:
        """Append entries and publish a checkpoint over them."""
        new = [leaf_hash(f"{self.origin} {word} {len(self.leaves) + n}".encode()) for n in range(entries)]
        changed, _ = extend_tiles(self, TreeSize(len(self.leaves)), new)
        self.tiles |= changed
        self.leaves += new
        self.published = len(self.leaves)
        return self

    def change(self, record: int, state: RecordState, *, reason: int = 2) -> LoggedChange:
        """Append an entry that changes the status of an earlier one, and publish a checkpoint over it."""
        said = LoggedChange(record, len(self.leaves), state, reason)
        self.changes.append(said)
        self.grow(1, word=state.name)
        return said

    def root(self, size: int) -> RootHash:
        """The root of the first `size` entries."""
        return RootHash(tree_root(self, TreeSize(size))) if size else EMPTY_ROOT

    def head(self) -> LogHead:
        """The newest checkpoint as the anchorer sees it."""
        return LogHead(
            self.number, self.origin, self.contract_kind, self.published, self.root(self.published)
        )

    def signed(self) -> SignedCheckpoint:
        """The newest checkpoint with its signed note."""
        checkpoint = Checkpoint(Origin(self.origin), TreeSize(self.published), self.root(self.published))
        note = Note(format_checkpoint(checkpoint), (self.signer.sign(checkpoint, 1),))
        return SignedCheckpoint(self.head(), format_note(note), self.signer.vkey)


class PaperLogs:
    """A `ProofSource` and a `ChangeSource` over paper logs."""

    def __init__(self, *papers: PaperLog) -> None:
        """Number them as they come; `register` gives them their rows' numbers."""
        self.papers = list(papers)
        for number, paper in enumerate(self.papers, start=1):
            paper.number = paper.number or number

    def register(self, conn: Connection) -> None:
        """Give each log its row, which the tables of the chain refer to."""
        for paper in self.papers:
            row = conn.execute(select(logs.c.id).where(logs.c.origin == paper.origin)).scalar_one_or_none()
            if row is None:
                values = {
                    "origin": paper.origin,
                    "org_id": 1,
                    "org": "paper",
                    "collection": "purchases",
                    "kinds": "purchase/v1",
                    "vkeys": format_vkey(paper.signer.vkey),
                    "created": 0,
                }
                row = conn.execute(insert(logs).values(values).returning(logs.c.id)).scalar_one()
            paper.number = row

    def heads(self) -> Sequence[LogHead]:
        """Every log with a checkpoint."""
        return tuple(paper.head() for paper in self.papers if paper.published)

    def signed(self, log: int) -> SignedCheckpoint:
        """A log's newest checkpoint."""
        return self._paper(log).signed()

    def root_at(self, log: int, size: int) -> bytes:
        """The root of the first `size` entries."""
        return self._paper(log).root(size)

    def prove_consistency(self, log: int, first: int, second: int) -> Sequence[bytes]:
        """The path between two sizes."""
        return prove_consistency(self._paper(log), TreeSize(first), TreeSize(second))

    def prove_entry(self, log: int, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """A leaf and its path."""
        paper = self._paper(log)
        return paper.leaves[index], prove_inclusion(paper, LeafIndex(index), TreeSize(size))

    def changes(self, log: int, *, first: int, end: int) -> Sequence[LoggedChange]:
        """What was said about records between two positions."""
        return [each for each in self._paper(log).changes if first <= each.explanation < end]

    def _paper(self, log: int) -> PaperLog:
        return next(paper for paper in self.papers if paper.number == log)
