"""Bulk ingest without HTTP: validated, committed, sealed, durable, sequenced, signed; and the floor, in one run.

    python -m scripts.bench_core [--records 40000] [--workers 0] [--before 0]

`--before` fills the log first, so that the cost of a record at 10,000 and at 1,000,000 entries can be compared.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ledger_service.log.bulk_writer import BulkRequest, BulkWriter
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.records.bulk import BulkPreparer
from scripts.bench_floor import floor
from tests.support.small_ledger import small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMERS = 23_570  # as CDNOW has


def purchases(first: int, count: int) -> Iterator[bytes]:
    """Lines like those of the CDNOW data set."""
    for number in range(first, first + count):
        amount = number * 37 % 9_000
        yield orjson.dumps({
            "buyer": f"cdnow-{number * 7919 % CUSTOMERS:05d}", "channel": "web", "currency": "USD",
            "items": [{"sku": "cd", "quantity": 1 + number % 5, "amount_minor": amount}], "amount_minor": amount,
            "order_number": f"19970101-{number:07d}", "paid_at": "1997-01-01T12:00:00Z",
        })  # fmt: skip


def measure(asked: argparse.Namespace, directory: Path, *, url: str | None = None) -> tuple[float, float]:
    """Give back the wall and CPU seconds that the records took, on SQLite or the database at `url`."""
    with small_ledger(directory, url=url) as ledger, BulkPreparer(workers=asked.workers) as preparer:
        thread = LedgerThread(
            ledger.intake, ledger.sequencer, heartbeat_s=600, alarm=lambda error: print(repr(error))
        )
        thread.start()
        writer = BulkWriter(ledger.database, ledger.intake, thread, preparer, clock=ledger.clock, bound_s=600)

        def write(key: str, lines: list[bytes]) -> None:
            for result in writer.write(BulkRequest(ledger.log.target, PURCHASE, key, lines)):
                if result.position is None:
                    raise SystemExit(f"line {result.line}: {result.outcome}")

        write("warm", list(purchases(0, max(4_000, asked.before))))
        lines = list(purchases(10_000_000, asked.records))
        started, cpu = time.perf_counter(), time.process_time()
        write("measured", lines)
        taken = time.perf_counter() - started, time.process_time() - cpu
        thread.stop()
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--workers", type=int, default=0, help="0 prepares in the same process")
    parser.add_argument("--before", type=int, default=0, help="records to write before measuring")
    asked = parser.parse_args()
    count = asked.records
    sample = list(purchases(0, min(count, 20_000)))
    bare, bare_cpu = (seconds / len(sample) for seconds in floor(sample))
    with tempfile.TemporaryDirectory() as directory:
        wall, cpu = measure(asked, Path(directory))
    wall, cpu = wall / count, cpu / count
    print(
        f"load {os.getloadavg()[0]:.1f}, {max(4_000, asked.before):,} entries before, {asked.workers} workers"
    )
    print(f"floor {1 / bare:,.0f}/s, {bare * 1e6:.1f} us each, {bare_cpu * 1e6:.1f} us CPU")
    print(f"bulk  {1 / wall:,.0f}/s, {wall * 1e6:.1f} us each, {cpu * 1e6:.1f} us CPU in this process")
    print(f"of the floor: {bare / wall:.2f} in wall time, {bare_cpu / cpu:.2f} in CPU time")


if __name__ == "__main__":
    main()
