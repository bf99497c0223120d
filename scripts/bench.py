"""`make bench`: the product against its floor and against one transaction per record, in one run.

Run it on a machine that does nothing else: every figure is wall time on this machine, ratios are within this run.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from scripts import bench_core
from scripts.bench_baseline import one_transaction_per_record
from scripts.bench_floor import floor
from scripts.bench_rows import bulk, growth, line, offline_verification, singles
from tests.support.postgres import PostgresCluster

GAS = Path(__file__).resolve().parents[1] / "docs/gas.md"


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
    singles("SQLite")
    check = offline_verification(count=1_000)
    line("offline verifications", f"{1 / check:,.0f}/s", f"{check * 1e3:.2f} ms each, all signatures")
    for what, gas in re.findall(
        r"^\| (`publish`, .*?) \| ([0-9,]+) \|$", GAS.read_text(encoding="utf-8"), re.MULTILINE
    ):
        line(f"gas: {what.replace('`', '')}", gas)
    growth("SQLite", entries=entries)
    with PostgresCluster.start() as cluster:
        print("\nPostgreSQL, in this run's cluster: the server takes a share of the same cores")
        one, both = (bulk(records=50_000, workers=n, url=cluster.create_database()) for n in (0, 2))
        line("bulk, one process", f"{1 / one:,.0f}/s", f"{bare / one:.2f} of the floor, which is SQLite's")
        line("bulk, both cores", f"{1 / both:,.0f}/s", f"{bare / both:.2f} of the floor, which is SQLite's")
        singles("PostgreSQL", url=cluster.create_database())
        growth("PostgreSQL", entries=entries // 10, url=cluster.create_database())


if __name__ == "__main__":
    main()
