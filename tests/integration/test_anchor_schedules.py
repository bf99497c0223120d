"""A sample of random schedules; the full number is a campaign over the same code with other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.anvil import Anvil
from tests.support.chain_schedules import Schedule
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    import random
    from pathlib import Path


@pytest.mark.parametrize("depth", ["within confirmations", "any"])
@pytest.mark.parametrize("sample", range(6))
def test_whatever_happens_the_newest_checkpoint_becomes_final_once(
    rng: random.Random, tmp_path: Path, sample: int, depth: str
) -> None:
    """Reorganizations, drops, spikes, faults, restarts, a shared key: nothing false, stuck or twice."""
    del sample
    with Anvil.start() as anvil, FaultProxy(anvil.url) as proxy:
        schedule = Schedule(rng.getrandbits(32), anvil, proxy, tmp_path, deep=depth == "any")
        schedule.run(60)
    assert schedule.told
