"""Step 6 of the verdict: whether the checkpoint is anchored, and between which moments the entry was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.errors import AnchorError, CouldNotCheckError
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.chain_view import GRADE_STATED, AnchorFinding
from ledger_service.proofs.verdict import Interval

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.proofs.case import Case
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.trust import TrustedAnchor

SELF_ANCHORED = (
    "self-anchored: the operator runs this chain, so it gives order and tamper evidence to those who kept a "
    "checkpoint, not independent time."
)
NO_LOWER_BOUND = (
    "Nothing bounds from below when the entry was made: the anchor is not later than an earlier head."
)


def check_anchors(case: Case) -> str:
    """Return what proves the best anchor and note its interval in `case`.

    Raises AnchorError when an anchor contradicts checkpoint, entry or chain; CouldNotCheckError when there is
    none, or none that a chain at hand bears out: it is then stated only.
    """
    if not case.evidence.anchors:
        raise CouldNotCheckError("The evidence has no anchor; made again later, it may have one.")
    intervals: list[tuple[Interval, str]] = []
    reasons: list[str] = []
    for anchor in case.evidence.anchors:
        _check_statement(case, anchor)
        try:
            intervals.append(_observe(case, anchor))
        except CouldNotCheckError as error:
            reasons.append(error.text)
    if not intervals:
        case.interval = _stated_interval(case, case.evidence.anchors[0])
        raise CouldNotCheckError(f"Anchored by the evidence's own word, stated only. {' '.join(reasons)}")
    # A chain that the operator does not run tells more; among equals the earlier moment does.
    case.interval, detail = min(intervals, key=lambda found: (bool(found[0].self_anchored), found[0].before))
    if case.interval.after is None:
        case.not_proven.append(NO_LOWER_BOUND)
    if case.interval.self_anchored:
        case.not_proven.append(f"The time: {SELF_ANCHORED}")
        return f"Order, {SELF_ANCHORED} {detail}"
    return detail


def _check_statement(case: Case, anchor: Anchor) -> None:
    if (anchor.size, anchor.root) != (case.checkpoint.size, case.checkpoint.root):
        raise AnchorError("The anchor is of another size or root than the checkpoint.")
    if anchor.time != anchor.block.time:
        raise AnchorError("The anchor's time is not that of its block.")
    previous = anchor.previous
    if previous is not None and (previous.size >= anchor.size or previous.time > anchor.time):
        raise AnchorError("The head before the anchor is not earlier and smaller.")
    _check_accepted(case, _lower(case, anchor, None if previous is None else previous.time), anchor.time)


def _observe(case: Case, anchor: Anchor) -> tuple[Interval, str]:
    trusted = _find_trusted(case, anchor)
    if trusted is None:
        raise CouldNotCheckError("Its chain, contract and log id are not pinned in the trust file.")
    if case.question.chain_view is None:
        raise CouldNotCheckError("No node was asked.")
    finding: AnchorFinding = case.question.chain_view.observe_anchor(anchor, trusted=trusted)
    after = _lower(case, anchor, finding.lower)
    _check_accepted(case, after, finding.upper)
    interval = Interval(after, finding.upper, finding.grade, self_anchored=trusted.self_anchored)
    return interval, f"{finding.grade}: {finding.detail}"


def _find_trusted(case: Case, anchor: Anchor) -> TrustedAnchor | None:
    for trusted in case.trusted.anchors if case.trusted is not None else ():
        if (anchor.chain_id, anchor.genesis_hash, anchor.contract, anchor.code_hash, anchor.log_id) == (
            trusted.chain_id,
            trusted.genesis_hash,
            trusted.contract,
            trusted.code_hash,
            trusted.log_id,
        ):
            return trusted
    return None


def _lower(case: Case, anchor: Anchor, time: datetime | None) -> datetime | None:
    # Only a head that did not hold the entry yet says anything about when the entry was made.
    covered = anchor.previous is None or anchor.previous.size > case.pointer.index
    return None if covered else time


def _stated_interval(case: Case, anchor: Anchor) -> Interval:
    trusted = _find_trusted(case, anchor)
    after = _lower(case, anchor, None if anchor.previous is None else anchor.previous.time)
    self_anchored = None if trusted is None else trusted.self_anchored
    return Interval(after, anchor.time, GRADE_STATED, self_anchored)


def _check_accepted(case: Case, after: datetime | None, before: datetime) -> None:
    accepted, tolerance = case.entry.accepted, case.question.tolerance
    # Differences, for a stated time may lie at either end of the calendar, with no room for a sum.
    if accepted - before > tolerance or (after is not None and after - accepted > tolerance):
        raise AnchorError(
            f"The entry says it was accepted at {format_time(accepted)}, which lies outside the interval of "
            f"its anchor by more than {case.question.trust.accepted_tolerance_s} s."
        )
