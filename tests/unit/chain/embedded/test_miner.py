"""When blocks are made: soon, several transactions together, never ahead of the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.miner import MAX_AHEAD_S, Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.errors import ChainAheadError, DiskFullError, InjectedFaultError
from ledger_service.storage import failpoints

if TYPE_CHECKING:
    import random

    from tests.support.embedded_chain import ChainBench

ANYBODY = b"\x01" * 20
WAIT_S = 20.0


@pytest.fixture
def miner(bench: ChainBench) -> Miner:
    """A miner that makes a block only when asked."""
    return Miner(bench.chain, PendingPool(bench.chain), bench.clock)


def pool_of(miner: Miner) -> PendingPool:
    """The pool that a miner takes from."""
    return miner._pool


def test_a_block_has_the_clock_s_time(bench: ChainBench, miner: Miner) -> None:
    """A block's time is the clock's second when the parent is older."""
    bench.clock.advance(10.9)
    pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    made = miner.produce()
    assert made is not None
    assert made.header is not None
    assert made.header.timestamp == int(bench.clock.now().timestamp())


def test_a_second_block_in_one_second_is_the_last(bench: ChainBench, miner: Miner) -> None:
    """One block may take the next second's time; after it the chain waits until the clock is there."""
    bench.clock.advance(10)
    times: list[int] = []
    for _ in range(3):
        pool_of(miner).add(bench.sender.sign(to=ANYBODY))
        made = miner.produce()
        times += [made.header.timestamp] if made is not None and made.header is not None else []
    now = int(bench.clock.now().timestamp())
    assert times == [now, now + 1]
    bench.clock.advance(1)
    made = miner.produce()
    assert made is not None
    assert made.header is not None
    assert made.header.timestamp == now + 2


def test_block_time_never_runs_ahead(bench: ChainBench, miner: Miner, rng: random.Random) -> None:
    """Whatever arrives when, no block is more than a second ahead of the clock, and times strictly increase."""
    last = bench.chain.head().timestamp
    mined = 0
    for _ in range(300):
        bench.clock.advance(rng.choice([0.0, 0.01, 0.3, 0.999, 1.7]))
        for _ in range(rng.randrange(3)):
            pool_of(miner).add(bench.sender.sign(to=ANYBODY))
        made = miner.produce()
        if made is None or made.header is None:
            continue
        mined += len(made.included)
        assert last < made.header.timestamp <= bench.clock.now().timestamp() + MAX_AHEAD_S
        last = made.header.timestamp
    assert mined + len(pool_of(miner).ready()) == bench.sender.nonce


def test_a_clock_set_back_stops_the_chain(bench: ChainBench, miner: Miner) -> None:
    """When the clock is set back no block is made, and new transactions are refused until it has caught up."""
    bench.clock.advance(3_600)
    pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    assert miner.produce() is not None
    bench.clock.advance(-60)
    pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    assert miner.produce() is None
    with pytest.raises(ChainAheadError, match=r"60\.0 s ahead"):
        miner.check_clock()
    bench.clock.advance(60)
    miner.check_clock()
    assert miner.produce() is not None


def test_what_the_block_refuses_leaves_the_pool(bench: ChainBench, miner: Miner) -> None:
    """A transaction that turned out impossible is dropped, so that the miner is not kept busy with it."""
    pool_of(miner).add(bench.sender.sign(to=ANYBODY, value=6 * 10**26))
    pool_of(miner).add(bench.sender.sign(to=ANYBODY, value=6 * 10**26))
    made = miner.produce()
    assert made is not None
    assert (len(made.included), len(made.refused)) == (1, 1)
    assert pool_of(miner).ready() == []


def test_the_thread_mines_what_arrives(bench: ChainBench, miner: Miner) -> None:
    """A running miner makes a block for what waits, and its stop leaves a whole chain."""
    bench.clock.advance(1)
    miner.start()
    tx_hash = pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    miner.wake()
    while bench.chain.receipt(tx_hash) is None:
        assert not miner.stopped.wait(0.01)
    miner.stop()
    assert (miner.failure, bench.chain.head().block_number) == (None, 1)


def test_an_unknown_outcome_ends_the_thread(bench: ChainBench, miner: Miner) -> None:
    """After a failed commit the miner stops for good and says why: the process has to read the file anew."""
    bench.clock.advance(1)
    failpoints.arm("chain.block=fail")
    miner.start()
    pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    miner.wake()
    assert miner.stopped.wait(WAIT_S)
    failpoints.disarm()
    assert isinstance(miner.failure, InjectedFaultError)
    assert bench.chain.head().block_number == 0


def test_a_full_disk_is_waited_out(bench: ChainBench, miner: Miner, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing was stored for lack of space the transaction waits, and is mined once there is space."""
    bench.clock.advance(1)
    monkeypatch.setattr("ledger_service.chain.embedded.miner.DISK_FULL_PAUSE_S", 0.01)
    real, failures = bench.file.store_block, [DiskFullError(), DiskFullError()]

    def store_block(*arguments: object) -> None:
        if failures:
            raise failures.pop()
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.file, "store_block", store_block)
    miner.start()
    tx_hash = pool_of(miner).add(bench.sender.sign(to=ANYBODY))
    miner.wake()
    while bench.chain.receipt(tx_hash) is None:
        assert not miner.stopped.wait(0.01)
    miner.stop()
    assert (failures, miner.failure) == ([], None)
