"""When blocks are made: soon after a transaction arrives, several together, and never ahead of the clock.

A block's time is max(parent + 1, now) in whole seconds. A block is made only if that time is at most one second
ahead, so under load there is one block a second, however many transactions wait. If the clock was set back, the chain
waits for it, and new transactions are refused until then.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from ledger_service.chain.embedded.production import Produced, produce_block
from ledger_service.errors import ChainAheadError, DiskFullError

if TYPE_CHECKING:
    from ledger_service.chain.embedded.chain import EmbeddedChain
    from ledger_service.chain.embedded.pool import PendingPool
    from ledger_service.clock import Clock

MAX_AHEAD_S: Final = 1.0
BATCH_S: Final = 0.02
# How long the thread sleeps at most before it looks at the clock again, and after the disk was full.
LOOK_AGAIN_S: Final = 0.05
DISK_FULL_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


class Miner:
    """Makes blocks in a thread of its own from what waits in the pool."""

    def __init__(
        self, chain: EmbeddedChain, pool: PendingPool, clock: Clock, *, batch_s: float = BATCH_S
    ) -> None:
        """Make nothing yet. `batch_s` is how long a first transaction waits for others to share its block."""
        self._chain = chain
        self._pool = pool
        self._clock = clock
        self._batch_s = batch_s
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)
        self.stopped = threading.Event()
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let a block that is being made become whole, then end the thread."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Tell that the pool has something."""
        self._woken.set()

    def check_clock(self) -> None:
        """Raise ChainAheadError when the newest block lies more than MAX_AHEAD_S in the future."""
        ahead = self._chain.head().timestamp - self._clock.now().timestamp()
        if ahead > MAX_AHEAD_S:
            raise ChainAheadError(f"The newest block is {ahead:.1f} s ahead of the clock.", ahead_s=ahead)

    def produce(self) -> Produced | None:
        """Make one block if something waits and the clock allows it; called by the thread, and by tests without it.

        Returns None when there was nothing to do, or the clock has not reached the newest block yet.
        """
        waiting = self._pool.ready()
        timestamp = self._block_time()
        if not waiting or timestamp is None:
            return None
        produced = produce_block(self._chain, waiting, timestamp=timestamp)
        for tx_hash in produced.included:
            self._pool.remove(tx_hash)
        for tx_hash, reason in produced.refused:
            _log.warning("transaction 0x%s is dropped: %s", tx_hash.hex(), reason)
            self._pool.remove(tx_hash)
        return produced

    def _block_time(self) -> int | None:
        now = self._clock.now().timestamp()
        timestamp = max(self._chain.head().timestamp + 1, int(now))
        return timestamp if timestamp - now <= MAX_AHEAD_S else None

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001  it is handed to the process, which ends with it
            # The outcome of the last write may be unknown. The process stops and the file is read anew.
            self.failure = error
            _log.exception("the miner stops")
        finally:
            self.stopped.set()

    def _turn(self) -> None:
        self._woken.wait()
        self._woken.clear()
        self._stopping.wait(self._batch_s)
        while self._pool.ready() and not self._stopping.is_set():
            try:
                made = self.produce()
            except DiskFullError:
                _log.exception("no space for a block; transactions wait")
                self._stopping.wait(DISK_FULL_PAUSE_S)
                continue
            if made is None:
                self._stopping.wait(LOOK_AGAIN_S)
            elif made.header is None:
                return  # What waits pays too little for the next block; a new block or transaction wakes us.
