"""The main job on real input: record 69,659 purchases, anchor, verify, damage, and see each damage caught."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from scripts import demo_checks, demo_damage
from scripts.cdnow import read_purchases
from scripts.demo_recording import CLIENTS, record_in_bulk, record_singly
from scripts.demo_service import DemoService

FOLDER = Path(__file__).resolve().parents[1] / ".demo"
SINGLES = 1_000


def say(text: str) -> None:
    """Print at once, so that a watcher sees progress."""
    print(text, flush=True)


def main() -> None:
    """Run the demo; with --exit stop the server at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop the server at the end")
    parser.add_argument("--rows", type=int, default=None, help="record only the first rows")
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(mode=0o700)
    rows = list(read_purchases())[: options.rows]
    service = DemoService(FOLDER)
    service.set_up()
    service.start()
    try:
        say(f"A new ledger serves on {service.url}; its EVM chain runs beside it.\n")
        started = time.perf_counter()
        ids = record_singly(service, rows[:SINGLES])
        took = time.perf_counter() - started
        say(f"  {len(ids):>6,} purchases one by one from {CLIENTS} clients, each answered with its proof: "
            f"{len(ids) / took:,.0f}/s")  # fmt: skip
        started = time.perf_counter()
        recorded = record_in_bulk(service, rows[SINGLES:])
        took = time.perf_counter() - started
        rate = recorded / took
        say(f"  {recorded:>6,} purchases in bulk, validated, sealed, signed and durable: {rate:,.0f}/s")
        subjects = len({row["buyer"] for row in rows})
        say(f"  {len(ids) + recorded:>6,} records of {subjects:,} customers, each under a key of their own\n")
        demo_checks.show_anchor(service)
        demo_checks.verify_some(service, ids[:: max(1, len(ids) // 5)][:5])
        demo_damage.damage_three(service, ids[0])
        demo_checks.suggest(service, ids[0])
        if not options.exit:
            say("\nThe server keeps running; stop it with Ctrl-C.")
            service.wait()
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        service.stop()


if __name__ == "__main__":
    main()
