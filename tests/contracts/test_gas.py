"""What the contracts cost, on trees of a million entries, and that the table in the docs says so."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from scripts.gas_rows import MILLION, WORST_PAIRS, measure_publish
from scripts.gas_table import DOCUMENT, format_table

if TYPE_CHECKING:
    import pytest

    from tests.contracts.evm import Deployed

LIMIT = 95_000


def test_publish_costs_at_most_95_000_gas(ledger: Deployed, request: pytest.FixtureRequest) -> None:
    """The worst of 100 random pairs up to 10^6, and the pairs with most hashes, stay below the limit."""
    rng = random.Random(request.config.option.seed)
    pairs = [tuple(sorted(rng.sample(range(2, MILLION + 1), 2))) for _ in range(100)]
    costs = [measure_publish(ledger, first, second).gas for first, second in [*WORST_PAIRS, *pairs]]
    assert max(costs) <= LIMIT
    assert len(costs) == 100 + len(WORST_PAIRS)


def test_gas_table_is_fresh() -> None:
    """The table in the docs is what the contracts cost now."""
    committed = DOCUMENT.read_text("utf-8")
    assert format_table() == committed
