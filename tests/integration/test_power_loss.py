"""When the power goes, nothing that was acknowledged is lost: on a disk that drops what was not synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.power_loss import ChainWorkload, Disk, StorageWorkload, Workload

if TYPE_CHECKING:
    from random import Random

# The gate's ten runs. `scripts/campaign_power_loss.py` makes a hundred; see docs/campaigns/power-loss.md.
GATE = ((StorageWorkload(), 6, 250), (ChainWorkload(), 4, 40))


@pytest.mark.parametrize(("workload", "cuts", "most"), GATE, ids=lambda value: getattr(value, "name", value))
def test_nothing_acknowledged_is_lost(rng: Random, workload: Workload, cuts: int, most: int) -> None:
    """After each of several power cuts on one disk, all that was ever acknowledged is there and sound."""
    with Disk(workload, rng) as disk:
        aftermaths = [disk.suffer(most_acknowledgments=most) for _ in range(cuts)]
    assert [each.findings for each in aftermaths] == [()] * cuts
    assert [each.lost for each in aftermaths] == [0] * cuts
    assert aftermaths[-1].acknowledged >= cuts


@pytest.mark.parametrize(("workload", "most"), [(StorageWorkload(), 250), (ChainWorkload(), 40)])
def test_the_test_can_fail(rng: Random, workload: Workload, most: int) -> None:
    """With synchronous=NORMAL, which syncs no commit, the same cut is seen to lose acknowledged writes."""
    with Disk(workload, rng, unsafe="NORMAL") as disk:
        aftermath = disk.suffer(most_acknowledgments=most)
    assert aftermath.acknowledged >= 1
    assert aftermath.lost >= 1
