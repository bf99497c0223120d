"""Keeps the contract's states of records the same as the log's, change by change (design section 9, step 7).

A change is due when record and explanation lie under an accepted head and the contract's events, read at this
look, do not tell of it. Events decide, not receipts: what a crash, a restored backup or another process left
is found there and not sent twice, and what a reorganization took back is missing there and sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger_service.chain.actions import STATUS
from ledger_service.chain.contract import ProvenEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger_service.chain.account import Call
    from ledger_service.chain.actions import Action
    from ledger_service.chain.client import Block
    from ledger_service.chain.contract import CheckpointLogContract, Head, StatusChange
    from ledger_service.chain.look import Look
    from ledger_service.chain.planning import Planner
    from ledger_service.chain.source import ChangeSource, LoggedChange, LogHead, ProofSource
    from ledger_service.chain.status_store import Mirror, StatusStore
    from ledger_service.chain.watch import Findings

# Entries of one log whose changes are taken up at one look.
_STRIDE: Final = 16_384
_NO_BLOCK: Final = 2**62


@dataclass(frozen=True, slots=True)
class TakenUp:
    """The changes of a log that are explained below position `size` and were not known before."""

    log: int
    size: int
    changes: Sequence[LoggedChange]


@dataclass(slots=True)
class StatusFindings:
    """What one look found about a contract's states.

    `seen` are changes that its events tell of, `due` those that they do not. What was seen from block
    `lost_from` on is not in the chain any more.
    """

    taken_up: list[TakenUp] = field(default_factory=list)
    seen: list[tuple[Mirror, StatusChange]] = field(default_factory=list)
    due: list[Mirror] = field(default_factory=list)
    lost_from: int | None = None

    @property
    def new(self) -> bool:
        """Whether anything of this must be stored."""
        return bool(self.taken_up or self.seen) or self.lost_from is not None


class StatusMirror:
    """What keeps the states of all contracts up. It holds nothing itself: rows and chain say how things are."""

    __slots__ = ("_changes", "_most", "_source", "_store")

    def __init__(
        self, store: StatusStore, *, source: ProofSource, changes: ChangeSource, max_in_flight: int
    ) -> None:
        """Follow `changes`, proven by `source`, with at most half of `max_in_flight` transactions at once.

        The other half stays free for checkpoints, which go first.
        """
        self._store = store
        self._source = source
        self._changes = changes
        self._most = max(1, max_in_flight // 2)

    def look(
        self,
        look: Look,
        contract: CheckpointLogContract,
        *,
        row: int,
        findings: Findings,
        waiting: Sequence[Action],
    ) -> StatusFindings:
        """Compare a contract's states with its logs; `row` is the contract's row. Nothing is stored.

        `waiting` are the actions that the chain does not hold: what one of them asks for is left alone. When
        no change waits, the contract is not read.
        """
        found = StatusFindings(lost_from=self._find_lost(look, row))
        cursors = self._store.cursors(row)
        for log, head in findings.heads.items():
            cursor = cursors.get(log, 0)
            if head.size > cursor:
                end = min(head.size, cursor + _STRIDE)
                changes = self._changes.changes(log, first=cursor, end=end)
                found.taken_up.append(TakenUp(log, end, changes))
        asked = {(each.log, each.size) for each in waiting if each.kind == STATUS}
        for mirror in self._candidates(row, findings.heads, asked=asked):
            told = contract.status_changes(findings.log_ids[mirror.log], mirror.record, at=look.head)
            event = next((each for each in told if _tells(each, mirror)), None)
            if event is None:
                found.due.append(mirror)
            else:
                found.seen.append((mirror, event))
        return found

    def keep(self, conn: Connection, row: int, found: StatusFindings) -> None:
        """Store what a look found."""
        if found.lost_from is not None:
            self._store.lose(conn, contract=row, first_block=found.lost_from)
        for each in found.taken_up:
            self._store.take_up(conn, contract=row, log=each.log, size=each.size, changes=each.changes)
        for mirror, told in found.seen:
            self._store.see(conn, mirror, told)

    def plan(
        self,
        planner: Planner,
        contract: CheckpointLogContract,
        found: StatusFindings,
        *,
        findings: Findings,
        logs: Mapping[int, LogHead],
        waiting: Sequence[Action],
    ) -> list[tuple[Mirror, str]]:
        """Ask for what is due; return what the contract refuses for good, with its words."""
        refused: list[tuple[Mirror, str]] = []
        in_flight = sum(each.kind == STATUS for each in waiting)
        for mirror in found.due:
            asked = sum(each.kind == STATUS for each in planner.requests)
            if planner.room <= 0 or in_flight + asked >= self._most:
                break
            call = self._call(
                contract, mirror, log_id=findings.log_ids[mirror.log], head=findings.heads[mirror.log]
            )
            words = planner.change_state(contract, call, log=logs[mirror.log], explanation=mirror.explanation)
            if words is not None:
                refused.append((mirror, words))
        return refused

    def refuse(self, conn: Connection, refused: Iterable[tuple[Mirror, str]], *, at: Block) -> None:
        """Store what a contract refused for good in the state after a block."""
        for mirror, words in refused:
            self._store.refuse(conn, mirror, at=at, words=words)

    def refused(self, row: int) -> dict[int, str]:
        """Return, for each log of which a contract refused changes, how many and why, in words."""
        found = self._store.refused(row)
        return {log: f"{number} changes of status: {words}" for log, (number, words) in found.items()}

    def _find_lost(self, look: Look, row: int) -> int | None:
        """Return the lowest block of an outcome that the chain does not have; None when it has the highest.

        Blocks are chained by their hashes: below one that stands, all stand.
        """
        lowest: int | None = None
        below = _NO_BLOCK
        while (block := self._store.newest_block(row, below=below)) is not None and not look.holds(*block):
            lowest = below = block[0]
        return lowest

    def _candidates(
        self, row: int, heads: Mapping[int, Head], *, asked: set[tuple[int | None, int | None]]
    ) -> list[Mirror]:
        """Return what waits and is not asked for: twice what may be in flight, shared between the logs."""
        logs = [log for log in self._store.logs_waiting(row) if log in heads]
        share = max(1, 2 * self._most // len(logs)) if logs else 0
        found = [
            mirror
            for log in logs
            for mirror in self._store.waiting(row, log, below=heads[log].size, most=share + len(asked))
            if (log, mirror.explanation) not in asked
        ]
        return found[: 2 * self._most]

    def _call(self, contract: CheckpointLogContract, mirror: Mirror, *, log_id: bytes, head: Head) -> Call:
        """Return the call that makes a change, both entries proven under an accepted head."""
        record, explanation = (
            ProvenEntry(index, *self._source.prove_entry(mirror.log, index, head.size))
            for index in (mirror.record, mirror.explanation)
        )
        return contract.change_status(
            log_id,
            head=head,
            record=record,
            explanation=explanation,
            state=mirror.state,
            reason=mirror.reason,
        )


def _tells(told: StatusChange, mirror: Mirror) -> bool:
    return (told.explanation_index, told.state) == (mirror.explanation, mirror.state)
