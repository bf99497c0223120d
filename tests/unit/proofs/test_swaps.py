"""The swap matrix: parts of one record's evidence in another's, over 50 records of two organizations.

Evidence is taken apart three times over: as JSON, as the text of its proof (lines, signatures), and as the JSON
of its entry. Each part is exchanged for the same part of other evidence, and the result judged.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.canonical import decode, decode_base64url, encode, encode_base64url
from ledger_service.proofs.verdict import Verdict, format_verdict
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory, join_chains, join_policies, join_trust

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

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


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every path into a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from paths(item, (*path, name))


def reach(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path."""
    for name in path:
        value = value[name]
    return value


def swap_json(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each member of one JSON text, at any depth, replaced by the other's."""
    source: Any = decode(other)
    for path in paths(decode(one)):
        value: Any = decode(one)
        try:
            reach(value, path[:-1])[path[-1]] = reach(source, path)
        except (LookupError, TypeError):
            continue
        yield "/".join(map(str, path)), encode(value)


def swap_proof(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each line of the proof, each signature, and the parts above and below its blank lines, replaced."""
    value: Any = decode(one)
    whole: Any = decode(other)
    mine, theirs = value["proof"], whole["proof"]
    for separator in ("\n\n", "\n", " "):
        here, there = mine.split(separator), theirs.split(separator)
        for place in range(min(len(here), len(there))):
            text = separator.join([*here[:place], there[place], *here[place + 1 :]])
            third = separator != "\n\n" and place >= len(here) - 2
            name = f"proof/third line {place}" if third else f"proof/{separator!r} {place}"
            yield name, encode({**value, "proof": text})


def swap_entry(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each member of the entry replaced."""
    value: Any = decode(one)
    source: Any = decode(other)
    for name, entry in swap_json(decode_base64url(value["entry"]), decode_base64url(source["entry"])):
        yield f"entry/{name}", encode({**value, "entry": encode_base64url(entry)})


SWAPS: tuple[Callable[[bytes, bytes], Iterator[tuple[str, bytes]]], ...] = (swap_json, swap_proof, swap_entry)


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
