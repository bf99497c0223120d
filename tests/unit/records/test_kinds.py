"""The registry of kinds."""

from __future__ import annotations

import pickle

import pytest

from ledger_service.errors import UnknownKindError
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.records.kinds import KindRegistry


def test_kinds_are_found_by_name_and_collection() -> None:
    """A registered kind is found by its name and by its collection."""
    registry = KindRegistry([PURCHASE])
    assert registry.get("purchase/v1") is PURCHASE
    assert registry.in_collection("purchases") == registry.all() == (PURCHASE,)


@pytest.mark.parametrize("name", ["purchase/v2", "", "x" * 500])
def test_unknown_kinds_are_refused(name: str) -> None:
    """A name that no kind has is refused, and repeated only in part."""
    with pytest.raises(UnknownKindError) as refused:
        KindRegistry([PURCHASE]).get(name)
    assert len(str(refused.value.details["kind"])) <= 80
    with pytest.raises(UnknownKindError):
        KindRegistry([PURCHASE]).in_collection(name)


def test_kinds_travel_between_processes() -> None:
    """A kind arrives in another process as the same kind."""
    assert pickle.loads(pickle.dumps(PURCHASE)) == PURCHASE
