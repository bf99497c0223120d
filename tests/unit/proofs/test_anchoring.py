"""Step 6 of the verdict: the anchor and the interval that it proves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.anchoring import NO_LOWER_BOUND, SELF_ANCHORED
from ledger_service.proofs.chain_view import GRADE_NODE, GRADE_STATED, AnchorFinding
from ledger_service.proofs.entry import Entry, format_entry
from ledger_service.proofs.types import RootHash, TreeSize
from tests.support.evidence_factory import EvidenceFactory, SampleChain, derive
from tests.unit.proofs.judging import (
    DAY,
    EVIDENCE,
    FACTORY,
    REQUIRE_ANCHOR,
    DeadChain,
    detail,
    judge,
    outcomes,
)

if TYPE_CHECKING:
    from ledger_service.proofs.evidence import Anchor, Evidence
    from ledger_service.proofs.trust import Trust, TrustedAnchor


@pytest.mark.parametrize("view", [None, DeadChain()])
def test_required_anchor_without_chain(view: Any) -> None:
    """Where the anchor is required and no chain answers, the verdict is unknown, with the reason."""
    verdict = judge(trust=REQUIRE_ANCHOR, chain_view=view)
    assert (verdict.result, outcomes(verdict)[5]) == ("unknown", "?")
    assert "stated only" in verdict.reason
    assert "No node was asked" in verdict.reason or "No answer" in verdict.reason


def test_required_anchor_with_chain() -> None:
    """Where the anchor is required and the chain bears it out, the verdict is valid."""
    assert judge(trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain).result == "valid"


def test_no_anchor() -> None:
    """Evidence without an anchor could not be checked at step 6."""
    bare = replace(EVIDENCE, anchors=())
    assert (judge(bare).result, outcomes(judge(bare))[5]) == ("valid", "?")
    assert judge(bare, trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain).result == "unknown"


def test_self_anchored_words() -> None:
    """A chain that the operator runs gives order, never time, and the verdict says so in full."""
    verdict = judge(chain_view=FACTORY.chain)
    assert detail(verdict, 6).startswith("Order, self-anchored:")
    assert any(SELF_ANCHORED in text for text in verdict.not_proven)
    assert SELF_ANCHORED == (
        "self-anchored: the operator runs this chain, so it gives order and tamper evidence to those who kept "
        "a checkpoint, not independent time."
    )
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is True


def independent_trust() -> Trust:
    """The trust file that says the chain is not the operator's."""
    log = FACTORY.trusted_log
    anchors = tuple(replace(anchor, self_anchored=False) for anchor in log.anchors)
    return replace(REQUIRE_ANCHOR, logs=(replace(log, anchors=anchors),))


def test_independent_chain() -> None:
    """A chain that the operator does not run gives an interval of time without that reservation."""
    verdict = judge(trust=independent_trust(), chain_view=FACTORY.chain)
    assert verdict.interval is not None
    assert (verdict.interval.grade, verdict.interval.self_anchored) == (GRADE_NODE, False)
    assert (verdict.interval.after, verdict.interval.before) == (FACTORY.time_of(4), FACTORY.time_of(8))
    assert not any("self-anchored" in text for text in verdict.not_proven)
    assert detail(verdict, 6).startswith(GRADE_NODE)


def test_stated_interval() -> None:
    """Offline the interval is given as what it is, stated only."""
    interval = judge().interval
    assert interval is not None
    assert (interval.grade, interval.self_anchored) == (GRADE_STATED, True)
    assert (interval.after, interval.before) == (FACTORY.time_of(4), FACTORY.time_of(8))
    first = judge(FACTORY.evidence(2)).interval
    assert first is not None
    assert first.after is None


def test_head_right_below_the_entry() -> None:
    """A head of exactly as many entries as the index does not hold the entry, and bounds it from below."""
    interval = judge(FACTORY.evidence(4), chain_view=FACTORY.chain).interval
    assert interval is not None
    assert interval.after == FACTORY.time_of(4)


def test_two_heads_in_one_block() -> None:
    """Two heads of one block have one time, which is no contradiction."""
    assert PREVIOUS is not None
    evidence = with_anchor(previous=replace(PREVIOUS, time=FACTORY.time_of(8)))
    assert outcomes(judge(evidence))[5] == "?"


def test_first_head_has_no_lower_bound() -> None:
    """The first head bounds an entry only from above, and the verdict says so."""
    verdict = judge(FACTORY.evidence(2), chain_view=FACTORY.chain)
    assert verdict.interval is not None
    assert verdict.interval.after is None
    assert NO_LOWER_BOUND in verdict.not_proven


def test_head_before_that_held_the_entry_already() -> None:
    """An anchor that is not the first to hold the entry bounds it from above only."""
    evidence = replace(FACTORY.evidence(2), proof=FACTORY.proof(2, 8), anchors=(FACTORY.anchor(5),))
    verdict = judge(evidence, chain_view=FACTORY.chain)
    assert verdict.result == "valid"
    assert verdict.interval is not None
    assert verdict.interval.after is None


def with_anchor(**changes: Any) -> Evidence:
    """The evidence with members of its anchor changed."""
    return replace(EVIDENCE, anchors=(replace(EVIDENCE.anchors[0], **changes),))


PREVIOUS = EVIDENCE.anchors[0].previous
assert PREVIOUS is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"size": TreeSize(9)},
        {"root": RootHash(bytes(32))},
        {"time": FACTORY.time_of(9)},
        {"previous": replace(PREVIOUS, size=TreeSize(8))},
        {"previous": replace(PREVIOUS, time=FACTORY.time_of(9))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_anchor_that_contradicts_itself_or_the_checkpoint(changes: dict[str, Any]) -> None:
    """An anchor of another head, or with an impossible head before it, fails step 6 even offline."""
    verdict = judge(with_anchor(**changes))
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


@pytest.mark.parametrize("name", ["chain_id", "genesis_hash", "contract", "code_hash", "log_id"])
def test_anchor_on_a_chain_that_is_not_pinned(name: str) -> None:
    """An anchor whose chain, contract or log is not pinned could not be checked, chain or no chain."""
    size = 20 if name == "contract" else 32
    other: Any = 1 if name == "chain_id" else derive("other", size=size)
    verdict = judge(with_anchor(**{name: other}), trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)[5]) == ("unknown", "?")
    assert "not pinned" in verdict.reason
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is None


@pytest.mark.parametrize("changes", [{"tx_hash": bytes(32)}, {"previous": None}, {"header_rlp": b"x"}])
def test_anchor_that_the_chain_does_not_hold(changes: dict[str, Any]) -> None:
    """An anchor of which the chain contradicts any member fails step 6."""
    verdict = judge(with_anchor(**changes), chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


@pytest.mark.parametrize(
    ("shift", "expected"), [(-311, "-"), (-310, "?"), (-60, "?"), (300, "?"), (330, "?"), (331, "-")]
)
def test_accepted_time_outside_the_interval(shift: int, expected: str) -> None:
    """An entry accepted outside its anchor's interval by more than 5 minutes fails step 6."""
    factory = EvidenceFactory("late", records=12)
    record = factory.records[5]
    data = format_entry(Entry(record.entry.claim, record.entry.accepted + timedelta(seconds=shift)))
    # Entry 5 of size 8, after the head at 4: the interval reaches from 10 s before to 30 s after its time.
    evidence = replace(factory.evidence(5), entry=data)
    assert outcomes(judge(evidence, factory=factory))[5] == expected


def test_interval_of_the_chain_counts_too() -> None:
    """The chain's own times bound the entry even where the anchor states others."""

    class SlowChain(SampleChain):
        def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
            late = anchor.time - DAY
            return AnchorFinding(GRADE_NODE, late, late, trusted.contract.hex())

    verdict = judge(chain_view=SlowChain(lines=FACTORY.chain.lines))
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


def test_best_of_several_anchors() -> None:
    """Of several anchors the one on a chain that is not the operator's counts; one bad anchor refuses all."""
    anchor = EVIDENCE.anchors[0]
    public = replace(anchor, chain_id=1)
    log = independent_trust().logs[0]
    pinned = (FACTORY.trusted_log.anchors[0], replace(log.anchors[0], chain_id=1))
    trust = replace(REQUIRE_ANCHOR, logs=(replace(log, anchors=pinned),))
    chain = SampleChain([anchor, public], lines=FACTORY.chain.lines)
    verdict = judge(replace(EVIDENCE, anchors=(anchor, public)), trust=trust, chain_view=chain)
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is False
    forged = replace(EVIDENCE, anchors=(anchor, replace(public, tx_hash=bytes(32))))
    assert judge(forged, trust=trust, chain_view=chain).result == "invalid"
