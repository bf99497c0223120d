"""When the power goes, nothing that was acknowledged is lost: on a disk that drops what was not synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.power_loss import Disk, StorageWorkload
from tests.support.power_loss_service import LedgerDisk

if TYPE_CHECKING:
    from random import Random

# The gate's runs. `scripts/campaign_power_loss.py` makes a hundred; see docs/campaigns/power-loss.md.
CUTS = 10
PER_DISK = 5


@pytest.mark.parametrize("disk_number", range(CUTS // PER_DISK))
def test_the_service_loses_nothing_it_acknowledged(rng: Random, disk_number: int) -> None:
    """After each of several cuts on one disk, database, keys and chain hold all that any client was told."""
    assert disk_number < CUTS
    with LedgerDisk(rng) as disk:
        aftermaths = [disk.suffer(most_acknowledgments=60) for _ in range(PER_DISK)]
    assert [each.findings for each in aftermaths] == [()] * PER_DISK
    assert [each.lost for each in aftermaths] == [0] * PER_DISK
    assert aftermaths[-1].acknowledged >= PER_DISK


def test_the_engine_loses_nothing_while_the_wal_is_checkpointed(rng: Random) -> None:
    """Cuts that fall into checkpoints of the write-ahead log lose nothing and leave a sound file."""
    with Disk(StorageWorkload(), rng) as disk:
        aftermaths = [disk.suffer(most_acknowledgments=250) for _ in range(PER_DISK)]
    assert [each.findings for each in aftermaths] == [()] * PER_DISK
    assert [each.lost for each in aftermaths] == [0] * PER_DISK


def test_the_test_can_fail(rng: Random) -> None:
    """With synchronous=NORMAL, which syncs no commit, the same cut is seen to lose acknowledged records."""
    with LedgerDisk(rng, unsafe="NORMAL") as disk:
        aftermath = disk.suffer(most_acknowledgments=60)
    assert aftermath.acknowledged >= 1
    assert aftermath.lost >= 1
