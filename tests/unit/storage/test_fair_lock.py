"""The writers' lock is handed on in order, and a waiter that gave up is not handed it."""

from __future__ import annotations

import threading

import pytest

from ledger_service.errors import StorageBusyError, StorageError
from ledger_service.storage.fair_lock import FairLock


def test_waiters_are_served_in_their_order() -> None:
    """Whoever asked first gets the lock first."""
    lock, served, threads = FairLock(), [], []
    with lock.hold(1):
        for name in range(12):
            begun = threading.Event()

            def work(name: int = name, begun: threading.Event = begun) -> None:
                begun.set()
                with lock.hold(10):
                    served.append(name)

            thread = threading.Thread(target=work)
            thread.start()
            threads.append(thread)
            begun.wait()
            while lock.waiting <= name:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert served == list(range(12))


def test_holder_that_comes_again_queues_behind_the_waiters() -> None:
    """A thread that lets go and asks again at once does not overtake one that was waiting."""
    lock, order = FairLock(), []

    def work() -> None:
        with lock.hold(10):
            order.append("waiter")

    waiter = threading.Thread(target=work)
    with lock.hold(1):
        waiter.start()
        while not lock.waiting:
            threading.Event().wait(0.001)
    with lock.hold(10):
        order.append("holder")
    waiter.join()
    assert order == ["waiter", "holder"]


def test_waiter_gives_up_in_time_and_is_forgotten() -> None:
    """A waiter whose time is over gets StorageBusyError, and the lock is free for the next."""
    lock, refused = FairLock(), []

    def work() -> None:
        try:
            with lock.hold(0.01):
                raise AssertionError("the block must not run")
        except StorageBusyError as error:
            refused.append(error)

    with lock.hold(1):
        waiter = threading.Thread(target=work)
        waiter.start()
        waiter.join()
    assert len(refused) == 1
    with lock.hold(0.01):
        assert lock.waiting == 0


def test_same_thread_is_refused_at_once() -> None:
    """A thread that holds the lock and asks for it again is told so instead of waiting for itself."""
    lock = FairLock()
    with lock.hold(1), pytest.raises(StorageError, match="inside"), lock.hold(1):
        raise AssertionError("the block must not run")


def test_error_in_the_block_frees_the_lock() -> None:
    """The lock is free again after an error."""
    lock = FairLock()
    with pytest.raises(ZeroDivisionError), lock.hold(1):
        _ = 1 // 0
    with lock.hold(0.01):
        assert lock.waiting == 0
