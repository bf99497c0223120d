"""The main job on real input: record 69,659 purchases, anchor, verify, damage three things and see each caught."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import demo_checks
from scripts.cdnow import read_purchases
from scripts.demo_service import ORG, DemoService

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).resolve().parents[1] / ".demo"
SINGLES = 1_000
CLIENTS = 32
ROWS_PER_REQUEST = 10_000


def say(text: str) -> None:
    """Print at once, so that a watcher sees progress."""
    print(text, flush=True)


def record_singly(service: DemoService, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Record each row by a call of its own, from 32 clients; returns the ids of the records."""

    def client(share: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
        connection, ids = service.connection(), []
        for number, row in share:
            headers = service.headers(Idempotency_Key=f"single-{number}")
            connection.request("POST", f"/v1/orgs/{ORG}/purchases", json.dumps(row), headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 201:  # noqa: PLR2004 - created, with its proof
                raise SystemExit(f"a purchase was answered with {answer.status}: {body.decode()}")
            ids.append(str(answer.headers["Location"]).rsplit("/", 1)[-1])
        return ids

    numbered = list(enumerate(rows))
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(itertools.chain(*pool.map(client, [numbered[n::CLIENTS] for n in range(CLIENTS)])))


def record_in_bulk(service: DemoService, rows: Sequence[dict[str, Any]]) -> int:
    """Record the rows through the bulk call; returns how many were recorded."""
    recorded = 0
    for first in range(0, len(rows), ROWS_PER_REQUEST):
        for result in service.bulk(rows[first : first + ROWS_PER_REQUEST], name=f"bulk-{first}"):
            if result["status"] != 201:  # noqa: PLR2004 - created
                raise SystemExit(f"row {first + result['row']} was refused: {result}")
            recorded += 1
    return recorded


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
        say(f"  {recorded:>6,} purchases in bulk, validated, sealed, signed and durable: {recorded / took:,.0f}/s")
        subjects = len({row["buyer"] for row in rows})
        say(f"  {len(ids) + recorded:>6,} records of {subjects:,} customers, each under a key of their own\n")
        demo_checks.show_anchor(service)
        demo_checks.verify_some(service, ids[:: max(1, len(ids) // 5)][:5])
        demo_checks.damage_three(service, ids[0])
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
