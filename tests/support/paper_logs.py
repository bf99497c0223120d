"""Logs on paper: real trees and real line 3, without tables of their own, for tests of the chain alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from ledger_service.chain.head_signer import Eip712Signer, key_address
from ledger_service.chain.source import LoggedChange, LogHead, SignedCheckpoint
from ledger_service.errors import PolicyError
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
        self.signers = [(self._make_signer(0), 0)]

    def _make_signer(self, era: int) -> Eip712Signer:
        words = self.origin if era == 0 else f"{self.origin} {era}"
        return Eip712Signer(sha256(words.encode()).digest(), name=self.origin)

    @property
    def signer(self) -> Eip712Signer:
        """Who signs now."""
        return self.signers[-1][0]

    def rotate(self) -> PaperLog:
        """Let another key sign from the published size on."""
        self.signers.append((self._make_signer(len(self.signers)), self.published))
        return self

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
            self.number,
            self.origin,
            self.contract_kind,
            self.published,
            self.root(self.published),
            len(self.signers) - 1,
        )

    def signed(self, head_key: bytes | None = None) -> SignedCheckpoint:
        """The newest checkpoint with its signed note, or the newest that a head key signs."""
        addresses = [key_address(signer.vkey) for signer, _ in self.signers]
        if head_key is not None and head_key not in addresses:
            raise PolicyError
        era = len(self.signers) - 1 if head_key is None else addresses.index(head_key)
        signer = self.signers[era][0]
        size, after = self.published, None
        if era + 1 < len(self.signers):
            after, size = self.signers[era + 1]
        checkpoint = Checkpoint(Origin(self.origin), TreeSize(size), self.root(size))
        note = Note(format_checkpoint(checkpoint), (signer.sign(checkpoint, 1),))
        head = replace(self.head(), size=size, root=self.root(size))
        return SignedCheckpoint(
            head, format_note(note), signer.vkey, era, None if after is None else after.vkey
        )


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

    def signed(self, log: int, *, head_key: bytes | None = None) -> SignedCheckpoint:
        """A log's newest checkpoint, or the newest that a head key signs."""
        return self._paper(log).signed(head_key)

    def head_signer(self, origin: str, era: int) -> Eip712Signer:
        """Who signed for a log in an era."""
        return next(paper for paper in self.papers if paper.origin == origin).signers[era][0]

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
