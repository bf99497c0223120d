"""Open connections kept for the next caller, without a ping: whoever meets a broken one drops it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from ledger_service.errors import StorageBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


class ConnectionPool:
    """At most `size` connections, the last one returned first, since its caches are the warmest."""

    __slots__ = ("_connect", "_idle", "_places", "_wait_s")

    def __init__(self, connect: Callable[[], Connection], *, size: int, wait_s: float) -> None:
        """Open nothing yet."""
        self._connect = connect
        self._idle: deque[Connection] = deque()
        self._places = threading.BoundedSemaphore(size)
        self._wait_s = wait_s

    def take(self) -> Connection:
        """Return a connection for the caller alone; StorageBusyError when all stay in use for too long."""
        if not self._places.acquire(timeout=self._wait_s):
            raise StorageBusyError
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except BaseException:
            self._places.release()
            raise

    def give(self, conn: Connection) -> None:
        """Take back a connection without an open transaction."""
        self._idle.append(conn)
        self._places.release()

    def drop(self, conn: Connection) -> None:
        """Take back a connection that must not be used again, and close the idle ones: as broken, maybe."""
        try:
            _discard(conn)
            self.clear()
        finally:
            self._places.release()

    def clear(self) -> None:
        """Close the idle connections."""
        while self._idle:
            try:
                conn = self._idle.pop()
            except IndexError:
                return
            _discard(conn)


def _discard(conn: Connection) -> None:
    conn.invalidate()
    conn.close()
