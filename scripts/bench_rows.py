"""The rows of `make bench` that are measured on either database, each printed as soon as it is known."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from ledger_service.proofs.verify import verify
from scripts import bench_core, bench_http
from scripts.bench_growth import grow
from tests.support.evidence_factory import EvidenceFactory


def line(name: str, figure: str, note: str = "") -> None:
    """Print one row at once, so that a watcher sees progress."""
    print(f"{name:<46}{figure:>14}  {note}", flush=True)


def bulk(*, records: int, workers: int, url: str | None = None) -> float:
    """Seconds of a record in bulk, with `workers` processes that seal."""
    asked = argparse.Namespace(records=records, workers=workers, before=0)
    with tempfile.TemporaryDirectory() as folder:
        return bench_core.measure(asked, Path(folder), url=url)[0] / records


def singles(database: str, *, url: str | None = None) -> None:
    """Print what single writes take."""
    *times, single = bench_http.single_writes(count=5_000, url=url)
    p50, p99 = times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
    line(
        f"single writes, 32 clients, {database}",
        f"{1 / single:,.0f}/s",
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
    )


def growth(database: str, *, entries: int, url: str | None = None) -> None:
    """Print what a log's growth costs."""
    grown = grow(entries=entries, workers=0, url=url)
    for size, seconds in grown.proof_s.items():
        line(f"inclusion proof at {size:,} entries, {database}", f"{seconds * 1e3:.2f} ms")
    small, large = grown.record_s.values()
    note = f"{large / small:.2f} times that at 10,000"
    line(f"a record at {entries:,} entries, {database}", f"{large * 1e6:.0f} us", note)


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
