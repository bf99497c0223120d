"""Budgets: what may be done a minute, and how it comes back."""

from __future__ import annotations

import threading

import pytest

from api import budgets
from api.budgets import Budget
from ledger_service.errors import RateLimitedError

SECOND = 1_000_000_000


class HandClock:
    """A clock that moves when a test moves it."""

    def __init__(self) -> None:
        """Begin anywhere but at nothing."""
        self.now_ns = 12_345 * SECOND

    def __call__(self) -> int:
        """The time in nanoseconds."""
        return self.now_ns


@pytest.fixture
def clock() -> HandClock:
    """The clock of one test."""
    return HandClock()


def spend_all(budget: Budget, who: str) -> int:
    """Spend until it is refused; returns how often that went well."""
    count = 0
    while True:
        try:
            budget.spend(who)
        except RateLimitedError:
            return count
        count += 1


@pytest.mark.parametrize("per_minute", [1, 2, 7, 59, 61, 6_000, 60_000])
def test_a_budget_is_spent_at_once_and_comes_back_evenly(clock: HandClock, per_minute: int) -> None:
    """Exactly the budget goes at once, half of it is back after half a minute, and never more than all."""
    budget = Budget("writes", per_minute, clock_ns=clock)
    assert spend_all(budget, "a") == per_minute
    assert spend_all(budget, "a") == 0
    clock.now_ns += 30 * SECOND
    assert abs(spend_all(budget, "a") - per_minute / 2) <= 1
    clock.now_ns += 3_600 * SECOND
    assert spend_all(budget, "a") == per_minute
    assert budget.refused == 4


def test_each_has_a_budget_of_its_own(clock: HandClock) -> None:
    """What one spends is not missing to another."""
    budget = Budget("writes", 3, clock_ns=clock)
    assert (spend_all(budget, "a"), spend_all(budget, "b")) == (3, 3)


def test_a_refusal_takes_nothing_and_says_when_to_come_back(clock: HandClock) -> None:
    """However often it is asked in vain, after the time that the refusal names there is one again."""
    budget = Budget("writes", 6, clock_ns=clock)
    spend_all(budget, "a")
    for _ in range(100):
        with pytest.raises(RateLimitedError) as refused:
            budget.spend("a")
    assert refused.value.details == {"budget": "writes", "per_minute": 6, "retry_after_s": 10}
    clock.now_ns += 10 * SECOND - 1
    with pytest.raises(RateLimitedError):
        budget.check("a")
    clock.now_ns += 1
    budget.check("a")
    assert spend_all(budget, "a") == 1


def test_the_table_is_bounded(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million addresses take no memory for a million, and those that still spend are remembered longest."""
    monkeypatch.setattr(budgets, "MOST_KNOWN", 100)
    budget = Budget("anonymous", 1, clock_ns=clock)
    for number in range(1_000):
        budget.spend(str(number))
        assert len(budget._back_at) <= 100
    assert spend_all(budget, "999") == 0
    clock.now_ns += 61 * SECOND
    for number in range(1_000, 1_060):
        budget.spend(str(number))
    assert set(budget._back_at) <= {str(number) for number in range(1_000, 1_060)} | {
        str(number) for number in range(950, 1_000)
    }


def test_threads_together_get_no_more() -> None:
    """Many threads that spend from one budget at once get exactly what it holds."""
    budget = Budget("writes", 1_000, clock_ns=lambda: SECOND)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(spend_all(budget, "a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1_000
