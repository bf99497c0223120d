"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_service.errors import StorageBusyError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator


class FairLock:
    """First come, first served. With `threading.Lock` a busy thread may take it again and again."""

    __slots__ = ("_mutex", "_owner", "_queue")

    def __init__(self) -> None:
        """Start free."""
        self._mutex = threading.Lock()
        self._owner: int | None = None
        self._queue: deque[tuple[int, threading.Lock]] = deque()

    @property
    def waiting(self) -> int:
        """How many threads wait for it now."""
        return len(self._queue)

    @contextmanager
    def hold(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock for the block.

        Raises StorageBusyError when it was not free within `timeout_s`, StorageError when this thread holds
        it already (a write inside a write would wait for itself for ever).
        """
        self._acquire(timeout_s)
        try:
            yield
        finally:
            self._release()

    def _acquire(self, timeout_s: float) -> None:
        me = threading.get_ident()
        with self._mutex:
            if self._owner is None:
                self._owner = me
                return
            if self._owner == me:
                raise StorageError("A write was begun inside a write of the same thread.")
            gate = threading.Lock()
            gate.acquire()
            waiter = (me, gate)
            self._queue.append(waiter)
        if gate.acquire(timeout=timeout_s):
            return
        with self._mutex:
            if waiter in self._queue:
                self._queue.remove(waiter)
                raise StorageBusyError
        # It was handed to us between the timeout and the check: then it is ours.

    def _release(self) -> None:
        with self._mutex:
            if not self._queue:
                self._owner = None
                return
            self._owner, gate = self._queue.popleft()
            gate.release()
