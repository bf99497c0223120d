"""The log index: it finds what a walk through all receipts finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded import logs as logs_module
from ledger_service.chain.embedded.logs import LogFilter, find_logs
from ledger_service.errors import RpcError

if TYPE_CHECKING:
    import random

    from ledger_service.chain.embedded.store import LogRow
    from tests.support.embedded_chain import ChainBench

ONE = (1).to_bytes(32, "big")


def walk(bench: ChainBench, wanted: LogFilter) -> list[tuple[int, int, bytes, bytes]]:
    """What a filter means: block, place, address and data of each log of each receipt that matches."""
    found: list[tuple[int, int, bytes, bytes]] = []
    for number in range(wanted.first_block, min(wanted.last_block, bench.chain.head().block_number) + 1):
        header = bench.chain.header_at(number)
        assert header is not None
        place = 0
        for each in bench.chain.receipts(header):
            for log in each.receipt.logs:
                topics = [topic.to_bytes(32, "big") for topic in log.topics]
                right_address = not wanted.addresses or log.address in wanted.addresses
                right_topics = len(topics) >= len(wanted.topics) and all(
                    not choices or topic in choices
                    for topic, choices in zip(topics, wanted.topics, strict=False)
                )
                if right_address and right_topics:
                    found.append((number, place, log.address, log.data))
                place += 1
    return found


def brief(rows: list[LogRow]) -> list[tuple[int, int, bytes, bytes]]:
    """The same of what the index found."""
    return [(row.block, row.place, row.address, row.data) for row in rows]


def test_the_index_agrees_with_the_receipts(bench: ChainBench, rng: random.Random) -> None:
    """For random filters over random blocks, the index and a walk through the receipts find the same logs."""
    probes = [bench.deploy_probe() for _ in range(3)]
    for _ in range(12):
        batch = [
            bench.sender.sign(to=rng.choice(probes), data=rng.randbytes(4))
            for _ in range(rng.randrange(1, 5))
        ]
        bench.mine(*batch)
    caller = bench.sender.address.rjust(32, b"\0")
    for _ in range(150):
        first = rng.randrange(0, 16)
        wanted = LogFilter(
            first,
            rng.randrange(first, 20),
            tuple(rng.sample([*probes, b"\x07" * 20], rng.randrange(0, 3))),
            tuple(tuple(rng.sample([ONE, caller], rng.randrange(0, 3))) for _ in range(rng.randrange(0, 4))),
        )
        assert brief(find_logs(bench.file, wanted)) == walk(bench, wanted)


def test_a_log_says_where_it_stands(bench: ChainBench) -> None:
    """Each found log names its block, its transaction and its place in the block."""
    probe = bench.deploy_probe()
    made = bench.mine(*(bench.sender.sign(to=probe, data=bytes([n])) for n in (7, 8)))
    assert made.header is not None
    rows = find_logs(bench.file, LogFilter(2, 2))
    assert [row.tx_hash for row in rows] == list(made.included)
    assert [(row.tx_place, row.place, row.block_hash) for row in rows] == [
        (0, 0, made.header.hash),
        (1, 1, made.header.hash),
    ]
    assert rows[0].topics == (ONE, bench.sender.address.rjust(32, b"\0"))


def test_too_many_rows_are_refused(bench: ChainBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question with more answers than the limit is refused instead of cut off."""
    monkeypatch.setattr(logs_module, "MAX_ROWS", 2)
    probe = bench.deploy_probe()
    bench.mine(*(bench.sender.sign(to=probe, data=b"x") for _ in range(2)))
    assert len(find_logs(bench.file, LogFilter(0, 99))) == 2
    bench.mine(bench.sender.sign(to=probe, data=b"x"))
    with pytest.raises(RpcError) as caught:
        find_logs(bench.file, LogFilter(0, 99))
    assert caught.value.number == -32005
