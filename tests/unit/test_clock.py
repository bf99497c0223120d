"""The machine's clock tells an aware moment in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger_service.clock import Clock, SystemClock


def test_system_clock_is_aware_and_utc() -> None:
    """The moment carries UTC and is the present one."""
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
