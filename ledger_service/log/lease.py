"""Which of several processes on one database sequences and anchors now.

The lease keeps processes from getting into each other's way, and nothing more: that a log never forks rests on
the epochs of its head (`heads.py`). A holder that was stopped and believes itself the holder still is fenced
off there, whatever any clock says. So a lease may be taken over early without harm, only never held for ever.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger_service.log.tables import sequencer_lease
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from sqlalchemy import Row

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

_ROW: Final = 1
# Renewed after a third of its time and believed in for two thirds, so that one late renewal loses nothing.
_THIRDS: Final = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: `host` and `pid` tell whether it still runs, `token` tells it from a later one of that pid."""

    host: str
    pid: int
    token: str


def this_process() -> Holder:
    """Name the present process, which must not fork afterwards."""
    return Holder(socket.gethostname()[:255], os.getpid(), secrets.token_hex(8))


class SequencerLease:
    """One process's side of the lease. Used by one thread; any thread may read `held`."""

    def __init__(self, database: Database, *, clock: Clock, holder: Holder, lasts_s: float) -> None:
        """Hold nothing yet. A holder that does not renew within `lasts_s` is taken for gone."""
        self._database = database
        self._clock = clock
        self._holder = holder
        self._lasts_s = lasts_s
        self._asked_at: float | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds the lease, as far as it has asked."""
        return self._is_younger(2 * self._lasts_s / _THIRDS)

    def hold(self) -> bool:
        """Keep the lease, or take it if it is free; return whether we have it. Raises StorageError."""
        if self._is_younger(self._lasts_s / _THIRDS):
            return True
        # Counted from before the question: however slow the answer is, we never believe in it for too long.
        asked_at = time.monotonic()
        self._asked_at = asked_at if self._take() else None
        return self._asked_at is not None

    def lose(self) -> None:
        """Note that another process has taken over."""
        self._asked_at = None

    def release(self) -> None:
        """Let the next one take it at once. Raises StorageError."""
        self._asked_at = None
        mine = (sequencer_lease.c.id == _ROW) & (sequencer_lease.c.token == self._holder.token)
        with self._database.write("log.lease") as conn:
            conn.execute(update(sequencer_lease).where(mine).values(until=0))

    def _is_younger(self, age_s: float) -> bool:
        return self._asked_at is not None and time.monotonic() - self._asked_at < age_s

    def _take(self) -> bool:
        now = self._clock.now()
        me = self._holder
        until = to_instant(now + timedelta(seconds=self._lasts_s))
        values = {"host": me.host, "pid": me.pid, "token": me.token, "until": until}
        with self._database.read() as conn:
            seen = conn.execute(select(sequencer_lease)).first()
        if seen is not None and not self._may_take(seen, to_instant(now)):
            return False
        try:
            with self._database.write("log.lease") as conn:
                if seen is None:
                    conn.execute(insert(sequencer_lease).values(id=_ROW, **values))
                    return True
                # Only from the one that was seen: of two that want it, one is too late.
                same = (sequencer_lease.c.token == seen.token) & (sequencer_lease.c.until == seen.until)
                return conn.execute(update(sequencer_lease).where(same).values(values)).rowcount == 1
        except IntegrityError:
            return False

    def _may_take(self, row: Row[Any], now: int) -> bool:
        if row.token == self._holder.token or row.until <= now:
            return True
        # A clock that jumped far ahead and back would keep the lease for as long: no lease lasts longer than ours.
        if row.until > now + _THIRDS * round(self._lasts_s * 1_000_000):
            return True
        return bool(row.host == self._holder.host and not _runs(row.pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
