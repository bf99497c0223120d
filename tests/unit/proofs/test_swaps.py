"""The swap matrix: parts of one record's evidence in another's, over 50 records of two organizations.

Evidence is taken apart three times over (`tests/support/evidence_mutants.py`). Each part is exchanged for the same
part of other evidence, and the result judged.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.verdict import Verdict, format_verdict
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory, join_chains, join_policies, join_trust
from tests.support.evidence_mutants import SWAPS

if TYPE_CHECKING:
    import random

ONE, TWO = EvidenceFactory("one", records=26), EvidenceFactory("two", records=26)
DOCUMENTS = [factory.document(index) for factory in (ONE, TWO) for index in range(1, 26)]
BOTH = (ONE, TWO)
POLICY, TRUST, CHAIN = join_policies(BOTH), join_trust(BOTH), join_chains(BOTH)

# With a chain at hand the anchor is required; offline it is stated only, which the default does not require.
CHAINED = replace(TRUST, required=(1, 2, 3, 4, 5, 6, 7))
# What only a chain can tell apart.
OFFLINE_UNCHECKED = re.compile(r"anchors|proof/third line")


def judge(document: bytes, *, chain: bool) -> Verdict:
    """The verdict on a document that may hold anything."""
    trust, view = (CHAINED, CHAIN) if chain else (TRUST, None)
    verdict = verify(document, policy=POLICY, trust=trust, now=ONE.now, chain_view=view)
    format_verdict(verdict)
    return verdict


def test_all_50_are_valid_before() -> None:
    """Every document is valid as it was made, so that what is refused later is refused for the swap."""
    assert len(DOCUMENTS) == 50
    assert {judge(document, chain=chain).result for document in DOCUMENTS for chain in (True, False)} == {
        "valid"
    }


@pytest.mark.parametrize(("swap", "parts"), list(zip(SWAPS, (25, 12, 6), strict=True)))
def test_no_part_fits_another_record(swap: Any, parts: int, rng: random.Random) -> None:
    """Whatever part is exchanged with whatever record, the evidence is refused, never with an exception.

    One line may go unseen: the third, when it comes with another key's name, for unknown lines are ignored.
    """
    seen: set[str] = set()
    for place, document in enumerate(DOCUMENTS):
        # The next record, the same place in the other log, and one drawn anew in each run.
        for other in {(place + 1) % 50, (place + 25) % 50, rng.choice([n for n in range(50) if n != place])}:
            for name, swapped in swap(document, DOCUMENTS[other]):
                if swapped == document:
                    continue
                seen.add(name)
                verdict = judge(swapped, chain=True)
                if name.startswith("proof/third line") and verdict.result == "valid":
                    assert "neither policy nor trust file names" in verdict.steps[4].detail
                else:
                    assert verdict.result in {"invalid", "unknown"}, (place, other, name)
    assert len(seen) >= parts


def test_offline_too(rng: random.Random) -> None:
    """Offline the same holds, except for what the verdict says only a chain can check."""
    for place, other in ((place, rng.randrange(50)) for place in range(50)):
        for swap in SWAPS:
            for name, swapped in swap(DOCUMENTS[place], DOCUMENTS[other]):
                if swapped == DOCUMENTS[place]:
                    continue
                verdict = judge(swapped, chain=False)
                if OFFLINE_UNCHECKED.match(name) and verdict.result == "valid":
                    assert verdict.steps[5].outcome == "could not check"
                    assert re.search("could not be checked|not checked", verdict.steps[4].detail)
                else:
                    assert verdict.result in {"invalid", "unknown"}, (place, other, name)
