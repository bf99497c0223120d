"""Reasons of status changes: names here, codes in contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger_service.errors import UnknownReasonError
from ledger_service.proofs.status import REASON
from ledger_service.records.reasons import REASONS, reason_code, reason_name

TABLE = Path(__file__).parents[3] / "contracts" / "README.md"


def test_names_and_codes_are_one_to_one() -> None:
    """Each name has a uint16 of its own and comes back from it, in the form that statements demand."""
    assert [reason_name(reason_code(name)) for name in REASONS] == list(REASONS)
    assert all(0 <= code < 2**16 and REASON.fullmatch(name) for name, code in REASONS.items())


def test_what_is_not_in_the_list_is_refused() -> None:
    """An unknown name or code is refused, and a long name is repeated only in part."""
    with pytest.raises(UnknownReasonError) as refused:
        reason_code("x" * 500)
    assert len(str(refused.value.details["reason"])) == 64
    with pytest.raises(UnknownReasonError):
        reason_name(2**16 - 1)


def test_the_contracts_document_the_same_list() -> None:
    """The table beside the contracts has exactly these codes and names."""
    rows = [line.split("|") for line in TABLE.read_text(encoding="utf-8").splitlines() if "| `" in line]
    listed = {row[2].strip(" `"): int(row[1]) for row in rows if row[1].strip().isdigit()}
    assert listed == REASONS
