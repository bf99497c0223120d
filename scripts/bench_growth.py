"""What growth costs: a record in bulk and an inclusion proof, in a small log and in one of a million entries.

python -m scripts.bench_growth [--entries 1000000]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ledger_service.log.bulk_writer import BulkRequest, BulkWriter
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.merkle import check_inclusion
from ledger_service.proofs.types import LeafHash, LeafIndex
from ledger_service.records.bulk import BulkPreparer
from scripts.bench_core import purchases
from tests.support.small_ledger import small_ledger

SMALL, MEDIUM = 1_000, 10_000
SAMPLE = 20_000
PROOFS = 200


@dataclass
class Growth:
    """Seconds by the number of entries in the log: of a record, and of a proof (read, made, checked)."""

    record_s: dict[int, float]
    proof_s: dict[int, float]


def grow(*, entries: int, workers: int, url: str | None = None) -> Growth:
    """Fill a log to a thousand, ten thousand and `entries` entries, and measure at each."""
    growth = Growth({}, {})
    with (
        tempfile.TemporaryDirectory() as folder,
        small_ledger(Path(folder), url=url) as ledger,
        BulkPreparer(workers=workers) as preparer,
    ):
        thread = LedgerThread(ledger.intake, ledger.sequencer, heartbeat_s=600, alarm=print)
        thread.start()
        writer = BulkWriter(ledger.database, ledger.intake, thread, preparer, clock=ledger.clock, bound_s=600)

        def write(first: int, count: int) -> float:
            lines = list(purchases(first, count))
            started = time.perf_counter()
            for result in writer.write(BulkRequest(ledger.log.target, PURCHASE, f"from-{first}", lines)):
                if result.position is None:
                    raise SystemExit(f"line {result.line}: {result.outcome}")
            return (time.perf_counter() - started) / count

        def prove() -> float:
            draw = random.Random(20261122)  # noqa: S311 - a repeatable sample, not a secret
            with ledger.reader.view(ledger.log.origin) as view:
                size, root = view.size, view.root_at(view.size)
                started = time.perf_counter()
                for index in [draw.randrange(size) for _ in range(PROOFS)]:
                    proof = view.prove_inclusion(index, size)
                taken = (time.perf_counter() - started) / PROOFS
                leaf = LeafHash(view.read_tile(0, index >> 8, (index & 255) + 1)[-32:])
            check_inclusion(leaf, index=LeafIndex(index), size=size, root=root, proof=proof)
            return taken

        write(0, SMALL - 1)
        growth.proof_s[SMALL] = prove()
        write(SMALL, MEDIUM - SMALL)
        growth.record_s[MEDIUM] = write(MEDIUM, SAMPLE)
        for first in range(MEDIUM + SAMPLE, entries, 50_000):
            write(first, min(50_000, entries - first))
        growth.proof_s[entries] = prove()
        growth.record_s[entries] = write(entries, SAMPLE)
        thread.stop()
    return growth


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    growth = grow(entries=parser.parse_args().entries, workers=0)
    for size, seconds in growth.record_s.items():
        print(f"a record at {size:>9,} entries: {seconds * 1e6:6.1f} us")
    for size, seconds in growth.proof_s.items():
        print(f"a proof  at {size:>9,} entries: {seconds * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
