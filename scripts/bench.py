"""`make bench`: the product against its floor and against one transaction per record, in one run.

Run it on a machine that does nothing else: every figure is wall time on this machine, ratios are within this run.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ledger_service.proofs.verify import verify
from scripts import bench_core, bench_http
from scripts.bench_baseline import one_transaction_per_record
from scripts.bench_floor import floor
from scripts.bench_growth import grow
from tests.support.evidence_factory import EvidenceFactory

GAS = Path(__file__).resolve().parents[1] / "docs/gas.md"


def line(name: str, figure: str, note: str = "") -> None:
    """Print one row at once, so that a watcher sees progress."""
    print(f"{name:<46}{figure:>14}  {note}", flush=True)


def bulk(*, records: int, workers: int) -> float:
    """Seconds of a record in bulk, with `workers` processes that seal."""
    asked = argparse.Namespace(records=records, workers=workers, before=0, stages=False)
    with tempfile.TemporaryDirectory() as folder:
        return bench_core.measure(asked, Path(folder))[0] / records


def offline_verification(*, count: int) -> float:
    """Seconds of one offline verification of evidence with all signatures, status included."""
    factory = EvidenceFactory(records=10)
    evidence = [factory.document(index) for index in range(1, 9)]
    started = time.perf_counter()
    for number in range(count):
        verdict = verify(evidence[number % 8], policy=factory.policy, trust=factory.trust, now=factory.now)
        if verdict.result != "valid":
            raise SystemExit(verdict.reason)
    return (time.perf_counter() - started) / count


def main() -> None:
    """Measure everything and print ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000, help="how far the log is grown")
    entries = parser.parse_args().entries
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f} at the start\n")  # fmt: skip
    sample = list(bench_core.purchases(0, 100_000))
    bare = floor(sample)[0] / len(sample)
    line("floor: parse, hash, seal, insert, bare", f"{1 / bare:,.0f}/s", f"{bare * 1e6:.0f} us a record")
    one, both = bulk(records=100_000, workers=0), bulk(records=100_000, workers=2)
    line("bulk, one process", f"{1 / one:,.0f}/s", f"{bare / one:.2f} of the floor")
    line("bulk, both cores", f"{1 / both:,.0f}/s", f"{bare / both:.2f} of the floor")
    count, taken = one_transaction_per_record(seconds=15)
    each = taken / count
    line("one transaction per record (eth-tester)", f"{1 / each:,.0f}/s",
         f"bulk is {each / one:,.0f} times that in one process, {each / both:,.0f} times on both cores")  # fmt: skip
    *times, single = bench_http.single_writes(count=5_000)
    p50, p99 = times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
    line("single writes over HTTP, 32 clients", f"{1 / single:,.0f}/s", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    check = offline_verification(count=1_000)
    line("offline verifications", f"{1 / check:,.0f}/s", f"{check * 1e3:.2f} ms each, all signatures")
    for what, gas in re.findall(
        r"^\| (`publish`, .*?) \| ([0-9,]+) \|$", GAS.read_text(encoding="utf-8"), re.MULTILINE
    ):
        line(f"gas: {what.replace('`', '')}", gas)
    growth = grow(entries=entries, workers=0)
    for size, seconds in growth.proof_s.items():
        line(f"inclusion proof at {size:,} entries", f"{seconds * 1e3:.2f} ms")
    small, large = growth.record_s.values()
    line(
        f"a record at {entries:,} entries",
        f"{large * 1e6:.0f} us",
        f"{large / small:.2f} times that at 10,000",
    )


if __name__ == "__main__":
    main()
