"""Budgets: how often something may be done a minute, counted for each who does it.

A token bucket kept as one number (the generic cell rate algorithm): when all that was spent will have come back.
A full budget may be spent at once, and comes back evenly. Where it has come back nothing is kept, so the table
holds only who spends now; it is bounded all the same, for addresses cost an attacker nothing.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from ledger_service.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_NS: Final = 60_000_000_000
_SECOND_NS: Final = 1_000_000_000
MOST_KNOWN: Final = 65_536


class Budget:
    """One budget, the same for everybody. Any number of threads may use it."""

    __slots__ = ("_back_at", "_clock_ns", "_each_ns", "_lock", "name", "per_minute", "refused")

    def __init__(
        self, name: str, per_minute: int, *, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Let everybody have `per_minute`, by a clock that never steps back. `refused` counts refusals."""
        self.name = name
        self.per_minute = per_minute
        self.refused = 0
        self._each_ns = _MINUTE_NS // per_minute
        self._clock_ns = clock_ns
        self._back_at: dict[str, int] = {}
        self._lock = threading.Lock()

    def spend(self, who: str, *, count: int = 1) -> None:
        """Take `count`; raises RateLimitedError when so much is not left, and then takes nothing.

        Whoever has everything left may take at least one thing of any price.
        """
        now = self._clock_ns()
        with self._lock:
            back_at = max(self._back_at.get(who, now), now) + min(count, self.per_minute) * self._each_ns
            if back_at - now <= _MINUTE_NS:
                self._back_at[who] = back_at
                if len(self._back_at) > MOST_KNOWN:
                    self._forget(now)
                return
            self.refused += 1
        raise self._refusal(back_at - now - _MINUTE_NS)

    def check(self, who: str) -> None:
        """Raise RateLimitedError when nothing is left; take nothing."""
        now = self._clock_ns()
        with self._lock:
            missing_ns = self._back_at.get(who, now) + self._each_ns - now - _MINUTE_NS
            if missing_ns <= 0:
                return
            self.refused += 1
        raise self._refusal(missing_ns)

    def _refusal(self, missing_ns: int) -> RateLimitedError:
        return RateLimitedError(
            budget=self.name, per_minute=self.per_minute, retry_after_s=-(-missing_ns // _SECOND_NS)
        )

    def _forget(self, now: int) -> None:
        """Drop who has everything back, and if that is not enough, the half that came first."""
        kept = [(who, back_at) for who, back_at in self._back_at.items() if back_at > now]
        self._back_at = dict(kept[-(MOST_KNOWN // 2) :])
