"""Entry 0 of a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger_service.errors import MalformedError
from ledger_service.proofs.entry import Entry, format_entry, parse_entry
from ledger_service.proofs.opening import LogOpening, Predecessor, opening_claim, parse_opening
from ledger_service.proofs.types import Origin, RecordId, RootHash, TreeSize
from tests.support.evidence_factory import START, EvidenceFactory

FACTORY = EvidenceFactory(records=1)
OPENING = LogOpening(FACTORY.origin, FACTORY.org, ("purchase/v1",), (FACTORY.log_vkey, FACTORY.mldsa_vkey))
BEFORE = Predecessor(Origin("old.example/log"), TreeSize(7), RootHash(bytes(32)))


def entry_of(opening: LogOpening, **claim: Any) -> Entry:
    """Entry 0 for an opening, members of its claim replaced."""
    return Entry(replace(opening_claim(opening, id=RecordId("A" * 22)), **claim), START)


@pytest.mark.parametrize("opening", [OPENING, replace(OPENING, predecessor=BEFORE)])
def test_round_trip(opening: LogOpening) -> None:
    """What entry 0 fixes is read back from its bytes, a predecessor included."""
    assert parse_opening(parse_entry(format_entry(entry_of(opening)))) == opening


@pytest.mark.parametrize(
    "public",
    [
        {"origin": "other.example/log"}, {"org": "other"}, {"org": 1}, {"kinds": "purchase/v1"},
        {"kinds": ["x"]},
        {"keys": ["x"]}, {"keys": None}, {"predecessor": {}}, {"extra": 1},
        {"predecessor": {"log": "a", "size": 0, "root": "A" * 43}},
        {"predecessor": {"log": "a", "size": 1, "root": "A"}},
    ],
    ids=repr,
)  # fmt: skip
def test_other_public_fields(public: dict[str, Any]) -> None:
    """An opening of another log or organization, or with malformed members, is refused."""
    entry = entry_of(OPENING)
    with pytest.raises(MalformedError):
        parse_opening(entry_of(OPENING, public={**entry.claim.public, **public}))


def test_other_kinds() -> None:
    """A record of another kind is no opening, whatever its public fields say."""
    with pytest.raises(MalformedError):
        parse_opening(entry_of(OPENING, kind="purchase/v1"))
    with pytest.raises(MalformedError):
        parse_opening(entry_of(OPENING, public={}))
