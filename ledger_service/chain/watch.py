"""What one look at the chain says about our anchors: which stand, which were lost, which are new.

Nothing is taken from memory. An anchor stands because the block in which it was seen is part of the chain
now, and it was seen because the contract's state held its size and root, not because a transaction had a
receipt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.chain.anchor_store import PlannedAnchor, SeenAnchor, Sighting
from ledger_service.chain.contract import NO_HEAD, Head
from ledger_service.chain.headers import encode_header
from ledger_service.errors import ChainUnavailableError, RollbackDetectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger_service.chain.anchor_store import AnchorStore
    from ledger_service.chain.contract import AcceptedHead, CheckpointLogContract, LogState
    from ledger_service.chain.look import Look
    from ledger_service.chain.source import LogHead, ProofSource


@dataclass(frozen=True, slots=True)
class Standing:
    """Which of the known sightings the chain no longer has, and which have their confirmations now."""

    lost: tuple[SeenAnchor, ...]
    done: tuple[SeenAnchor, ...]


@dataclass(slots=True)
class Findings:
    """What a contract holds of the logs that were looked at.

    `accepted` has the newest head of each such log, NO_HEAD for an open log without one; a log that the
    contract does not know, or that is retired there, is in `unopened` or in neither. `heads` has the newest
    accepted head of every log that has one and is not behind it, looked at or not. `named` has ids that were
    not stored yet, `eras` the eras of keys that the contract was not known to obey. `states` has what the
    contract keeps of each log in `accepted`.
    """

    heads: dict[int, Head] = field(default_factory=dict)
    accepted: dict[int, Head] = field(default_factory=dict)
    unopened: list[LogHead] = field(default_factory=list)
    named: dict[int, bytes] = field(default_factory=dict)
    log_ids: dict[int, bytes] = field(default_factory=dict)
    eras: dict[int, int] = field(default_factory=dict)
    states: dict[int, LogState] = field(default_factory=dict)
    seen: list[tuple[PlannedAnchor, Sighting]] = field(default_factory=list)
    rolled_back: dict[str, RollbackDetectedError] = field(default_factory=dict)


def look_at_standing(look: Look, store: AnchorStore, *, chain: int, confirmations: int) -> Standing:
    """Compare every sighting whose fate may change with the chain's blocks.

    Blocks are chained by their hashes: when the block of the newest final anchor stands, so do all below
    it. Raises ChainUnavailableError when the node has not come as far as that block: it is behind, which
    tells nothing.
    """
    lost: list[SeenAnchor] = []
    done: list[SeenAnchor] = []
    for each in store.unfinished(chain):
        if not look.holds(each.seen.block_number, each.seen.block_hash):
            lost.append(each)
        elif look.depth(each.seen.block_number) >= confirmations:
            done.append(each)
    for final in store.finished(chain):
        if final.seen.block_number > look.head.number:
            raise ChainUnavailableError("The node has not come as far as our newest final anchor.")
        if look.holds(final.seen.block_number, final.seen.block_hash):
            break
        lost.append(final)
    return Standing(tuple(lost), tuple(done))


def look_at_logs(
    look: Look,
    contract: CheckpointLogContract,
    *,
    row: int,
    openers: Sequence[bytes],
    heads: Iterable[LogHead],
    source: ProofSource,
    store: AnchorStore,
    standing: Standing,
    every_log: bool = False,
) -> Findings:
    """Read from the contract every log that has something new, or an anchor that is planned or was lost.

    `row` is the contract's row. A log whose newest checkpoint stands in the chain is not asked about again,
    unless the contract has yet to learn of its keys, or all are wanted. Logs are looked for among those that
    `openers` opened.
    """
    findings = Findings(log_ids=store.log_ids(row))
    eras = store.eras(row)
    lost = {each.sighting for each in standing.lost}
    known = {log: seen for log, seen in store.newest_standing(row).items() if seen.sighting not in lost}
    planned: dict[int, list[PlannedAnchor]] = {}
    for each in (*store.planned(row), *(_replan(seen) for seen in standing.lost if seen.contract == row)):
        planned.setdefault(each.log, []).append(each)
    for head in heads:
        top = known.get(head.log)
        if top is not None:
            findings.heads[head.log] = _head(top)
        era = eras.get(head.log, 0)
        settled = top is not None and top.size == head.size and head.log not in planned and era == head.era
        if settled and not every_log:
            continue
        reader = _LogReader(look, contract, row=row, source=source, findings=findings)
        reader.read(head, openers=openers, top=top, planned=planned.get(head.log, ()))
        if era != head.era and head.log in findings.states:
            obeyed = source.signed(head.log, head_key=findings.states[head.log].head_key).era
            if obeyed != era:
                findings.eras[head.log] = obeyed
    return findings


class _LogReader:
    """Reads one log after the other from a contract into the findings."""

    __slots__ = ("_contract", "_findings", "_look", "_row", "_source")

    def __init__(
        self,
        look: Look,
        contract: CheckpointLogContract,
        *,
        row: int,
        source: ProofSource,
        findings: Findings,
    ) -> None:
        self._look = look
        self._contract = contract
        self._row = row
        self._source = source
        self._findings = findings

    def read(
        self,
        head: LogHead,
        *,
        openers: Sequence[bytes],
        top: SeenAnchor | None,
        planned: Sequence[PlannedAnchor],
    ) -> None:
        """Read one log; `top` is its largest anchor that stands, `planned` are those that stand nowhere."""
        self._findings.heads.pop(head.log, None)
        found = self._find(head, openers=openers)
        if found is None:
            self._findings.unopened.append(head)
            return
        log_id, state = found
        accepted = NO_HEAD
        before = len(self._findings.seen)
        if top is not None and top.size == state.size:
            accepted = _head(top)
        elif state.size > 0:
            accepted = self._see(log_id, state.size, head=head)
        try:
            check_not_behind(self._source, head, accepted=accepted)
        except RollbackDetectedError as error:
            self._findings.rolled_back[head.origin] = error
            del self._findings.seen[before:]
            return
        for each in planned:
            if each.size < state.size:
                self._see(log_id, each.size, head=head)
        if accepted.size > 0:
            self._findings.heads[head.log] = accepted
        if not state.retired:
            self._findings.accepted[head.log] = accepted
            self._findings.states[head.log] = state

    def _find(self, head: LogHead, *, openers: Sequence[bytes]) -> tuple[bytes, LogState] | None:
        known = self._findings.log_ids.get(head.log)
        state = None if known is None else self._contract.log_state(known, at=self._look.head)
        if known is not None and state is not None:
            return known, state
        # The log was opened unseen, or a reorganization opened it again under another id.
        for opener in openers:
            log_id = self._contract.find_log(opener, head.origin, at=self._look.head)
            state = None if log_id is None else self._contract.log_state(log_id, at=self._look.head)
            if log_id is not None and state is not None:
                self._findings.named[head.log] = self._findings.log_ids[head.log] = log_id
                return log_id, state
        return None

    def _see(self, log_id: bytes, size: int, *, head: LogHead) -> Head:
        found = self._contract.find_head(log_id, size, at=self._look.head)
        if found is None:
            return NO_HEAD
        anchor = PlannedAnchor(self._row, head.log, size, found.head.root)
        self._findings.seen.append((anchor, self._sighting(log_id, found)))
        return found.head

    def _sighting(self, log_id: bytes, found: AcceptedHead) -> Sighting:
        block = self._look.block(found.event.block_number, found.event.block_hash)
        if block.time != found.head.time:
            raise ChainUnavailableError("The node tells another time of a block than the contract saw.")
        before: AcceptedHead | None = None
        if found.head.previous_size > 0:
            before = self._contract.find_head(log_id, found.head.previous_size, at=self._look.head)
            if before is None:
                raise ChainUnavailableError("The node does not tell the head before an accepted one.")
        return Sighting(
            log_id=log_id,
            time=found.head.time,
            previous_size=found.head.previous_size,
            previous_root=None if before is None else before.head.root,
            previous_time=None if before is None else before.head.time,
            block_number=block.number,
            block_hash=block.hash,
            block_time=block.time,
            tx_hash=found.event.tx_hash,
            header_rlp=encode_header(block),
        )


def check_not_behind(source: ProofSource, head: LogHead, *, accepted: Head) -> Head:
    """Return the head that the chain accepted, if the log as it is stored here contains it.

    Raises RollbackDetectedError when the chain has more of the log than the database, or another tree.
    """
    size = head.size
    if accepted.size > size:
        # The log may have grown since it was read.
        size = source.signed(head.log).head.size
    if accepted.size > size:
        raise RollbackDetectedError(origin=head.origin, database_size=size, chain_size=accepted.size)
    if accepted.size > 0 and source.root_at(head.log, accepted.size) != accepted.root:
        raise RollbackDetectedError(
            "The chain holds another tree of this log than the database. It must not sign.",
            origin=head.origin,
            chain_size=accepted.size,
        )
    return accepted


def _head(anchor: SeenAnchor) -> Head:
    return Head(anchor.size, anchor.root, anchor.seen.time, anchor.seen.previous_size)


def _replan(seen: SeenAnchor) -> PlannedAnchor:
    return PlannedAnchor(seen.contract, seen.log, seen.size, seen.root)
