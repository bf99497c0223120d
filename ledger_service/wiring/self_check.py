"""The deep self-check: what is promised, looked at while the service runs, cheaply and one thing at a time.

The auditor reads everything again and takes its time; this looks at the newest of everything and takes
milliseconds. Its outcome is kept for `KEPT_S`, so that asking often costs nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from ledger_service.errors import (
    ClockError,
    CorruptLogError,
    CouldNotCheckError,
    DiskFullError,
    LedgerError,
    LogError,
    NotReadyError,
    StorageBusyError,
)
from ledger_service.log.tables import log_heads
from ledger_service.proofs.merkle import tree_root
from ledger_service.proofs.policy import check_policy
from ledger_service.proofs.verdict import COULD_NOT_CHECK, FAIL, PASS
from ledger_service.storage.filesystem import free_bytes
from ledger_service.vault.keyring import Keyring
from ledger_service.verification.trust_documents import policy_of
from ledger_service.wiring.installation import load_files, load_key_wrapper
from ledger_service.wiring.vitals import read_vitals

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.chain.alarms import Alarms
    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.log.directory import LogRow
    from ledger_service.log.reader import LogReader
    from ledger_service.proofs.verdict import Outcome
    from ledger_service.storage.engine import Database
    from ledger_service.wiring.keeper import Keeper

KEPT_S: Final = 10.0
# Logs looked at in one go; the next go continues where this one ended.
_LOGS_AT_ONCE: Final = 12
_CLOCK_TOLERANCE_S: Final = 5
_PATIENCE_S: Final = 3.0
# Looks at the chain come every few seconds; one that takes this long hangs.
_LONGEST_SILENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `pass`, `fail` or `could not check`, in words."""

    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was looked at, and when. What could not be looked at is not healthy."""

    time: datetime
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return all(each.outcome == PASS for each in self.checks)


class SelfCheck:
    """Examines one service. Any number of threads may ask; one at a time looks."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        logs: LogReader,
        alarms: Alarms,
        keeper: Keeper | None,
        clock: Clock,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet. `now_s` tells how old an outcome is."""
        self._settings = settings
        self._database = database
        self._logs = logs
        self._alarms = alarms
        self._keeper = keeper
        self._clock = clock
        self._now_s = now_s
        self._lock = threading.Lock()
        self._last: tuple[float, Examination] | None = None
        self._next_log = 0

    def examine(self) -> Examination:
        """The newest outcome, at most `KEPT_S` old."""
        with self._lock:
            if self._last is None or self._now_s() - self._last[0] >= KEPT_S:
                found = Examination(self._clock.now(), tuple(self._look()))
                self._last = (self._now_s(), found)
            return self._last[1]

    def _look(self) -> list[Check]:
        checks: dict[str, Callable[[], str]] = {
            "database": self._check_database,
            "disk": self._check_disk,
            "signing": self._check_signing,
            "checkpoints": self._check_checkpoints,
            "acceptances": self._check_acceptances,
            "clock": self._check_clock,
            "keys": self._check_keys,
            "chain": self._check_chain,
        }
        return [_examine(name, check) for name, check in checks.items()]

    def _check_database(self) -> str:
        self._database.try_write(patience_s=_PATIENCE_S)
        return "It reads and writes."

    def _check_disk(self) -> str:
        free_mb = free_bytes(self._settings.data_dir) >> 20
        if free_mb < self._settings.disk_reserve_mb:
            raise DiskFullError(f"{free_mb} MB are left, less than the reserve. New records are refused.")
        return "More than the reserve is left."

    def _check_signing(self) -> str:
        if self._keeper is None:
            raise NotReadyError
        self._keeper.check_writable()
        return "It signs." if self._keeper.leads else "Another server signs."

    def _check_checkpoints(self) -> str:
        logs = self._logs.logs()
        begin = self._next_log % max(len(logs), 1)
        chosen = (*logs[begin:], *logs[:begin])[:_LOGS_AT_ONCE]
        self._next_log = begin + len(chosen)
        for log in chosen:
            self._check_newest(log)
        return f"The newest of {len(chosen)} of {len(logs)} logs are signed and proven by their tiles."

    def _check_newest(self, log: LogRow) -> None:
        """Raise unless the newest checkpoint is signed, and says what tiles and newest entry give."""
        with self._logs.view_number(log.id) as view:
            if view.size == 0:
                return
            try:
                checkpoint = check_policy(view.checkpoint().note, policy_of(log)).checkpoint
            except CouldNotCheckError as error:
                # The keys are there: what they did not sign is not this log's.
                raise CorruptLogError(origin=log.origin) from error
            stated = (checkpoint.origin, checkpoint.size, checkpoint.root)
            if stated != (log.origin, view.size, tree_root(view, view.size)):
                raise CorruptLogError(origin=log.origin)
            view.prove_inclusion(view.size - 1, view.size)

    def _check_acceptances(self) -> str:
        with self._database.read() as conn:
            vitals = read_vitals(conn, now=self._clock.now())
        if vitals.oldest_waiting_s > self._settings.max_accept_delay_s:
            raise LogError(f"A record waits for {vitals.oldest_waiting_s:.0f} s, longer than was promised.")
        return f"{vitals.waiting} records wait, none for longer than was promised."

    def _check_clock(self) -> str:
        with self._database.read() as conn:
            signed = conn.execute(select(func.max(log_heads.c.timestamp))).scalar() or 0
        ahead_s = (datetime.fromtimestamp(signed, UTC) - self._clock.now()).total_seconds()
        if ahead_s > _CLOCK_TOLERANCE_S:
            raise ClockError
        return "It is not behind what was signed."

    def _check_keys(self) -> str:
        # Read again from where they lie: what this process remembers does not help the next start.
        wrapper = load_key_wrapper(self._settings)
        with self._database.read() as conn:
            Keyring(wrapper).check_wrapper(conn)
        files = load_files(self._settings)
        for log in self._logs.logs()[:1]:
            files.log_keys(log.origin)
        return "The key-encryption key is in its place and opens what is stored."

    def _check_chain(self) -> str:
        if self._keeper is None:
            raise CouldNotCheckError("No chain is known.")
        alarms = sorted({alarm.code.value for alarm in self._alarms.open()})
        if alarms:
            raise LogError(f"Alarms are open: {', '.join(alarms)}.")
        if self._keeper.chain_trouble is not None:
            raise CouldNotCheckError(self._keeper.chain_trouble.text)
        silent_s = self._keeper.silent_s
        unseen = self._keeper.leads and self._keeper.summary is None
        if unseen or silent_s is None or silent_s > _LONGEST_SILENCE_S:
            raise CouldNotCheckError("The chain has not been looked at for too long.")
        return "Logs, anchors and contracts agree." if self._keeper.leads else "Another server anchors."


def _examine(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, PASS, check())
    except (CouldNotCheckError, StorageBusyError) as error:
        return Check(name, COULD_NOT_CHECK, error.text)
    except LedgerError as error:
        return Check(name, FAIL, f"{error.text} [{error.code}]")
    except OSError as error:
        return Check(name, FAIL, error.strerror or type(error).__name__)
