"""Alarms are raised once, cleared when it is over, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger_service.chain.alarms import Alarm, AlarmCode, Alarms
from ledger_service.chain.tables import chain_alarms

if TYPE_CHECKING:
    from ledger_service.storage.engine import Database
    from tests.unit.chain.conftest import TickingClock


def test_an_alarm_lasts_as_long_as_its_cause(database: Database, clock: TickingClock) -> None:
    """Reported again it stays one row; not reported it is cleared; reported later it is a new one."""
    alarms = Alarms(database, clock=clock)
    found = {(AlarmCode.NO_FUNDS, "0x01"): "balance 0"}
    alarms.report(found)
    alarms.report(found)
    assert alarms.open() == (Alarm(AlarmCode.NO_FUNDS, "0x01", "balance 0"),)
    alarms.report({(AlarmCode.FEE_LIMIT, "fees"): "too high"})
    assert [alarm.code for alarm in alarms.open()] == [AlarmCode.FEE_LIMIT]
    alarms.report(found)
    with database.read() as conn:
        rows = conn.execute(select(chain_alarms).order_by(chain_alarms.c.id)).all()
    assert [(row.code, row.cleared is None) for row in rows] == [
        ("no_funds", False), ("fee_limit", False), ("no_funds", True),
    ]  # fmt: skip
