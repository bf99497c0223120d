"""The main job on real input: record what a shop, a school and agencies know, anchor, verify, change, damage."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from scripts import demo_changes, demo_checks, demo_damage
from scripts.agency_files import EMPLOYMENT, FILES, FOLDER, WEATHER
from scripts.cdnow import read_purchases
from scripts.demo_calls import ORG, SCHOOL, end_on_signals, say
from scripts.demo_recording import record_files, record_in_bulk, record_singly
from scripts.demo_service import SHOP, DemoService
from scripts.oulad import read_completions

HERE = Path(__file__).resolve().parents[1] / ".demo"
SINGLES = 1_000
ORGANIZATIONS = {
    **SHOP,
    SCHOOL: "The Open University (anonymous results)",
    "noaa": "National Oceanic and Atmospheric Administration (sample files)",
    "faa": "Federal Aviation Administration (sample file)",
    "bls": "Bureau of Labor Statistics (sample file)",
}
LOGS = {ORG: "purchases", SCHOOL: "completions", "noaa": "datasets", "faa": "datasets", "bls": "datasets"}
# The rows whose records are changed: the first customer's only purchase, and the third customer, who has six.
REFUNDED, UNTOUCHED, FORGOTTEN = 0, 1, 3
REVOKED, CORRECTED = 0, 1


def main() -> None:
    """Run the demo; with --exit stop the server at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop the server at the end")
    parser.add_argument("--rows", type=int, help="record only so many purchases and completions")
    parser.add_argument("--folder", type=Path, default=HERE, help="made anew: ledger, keys, evidence")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(mode=0o700)
    started = time.perf_counter()
    end_on_signals()
    service = DemoService(options.folder)
    try:
        say(f"A new ledger in {options.folder} for {len(ORGANIZATIONS)} organizations ...")
        service.set_up(ORGANIZATIONS)
        service.start()
        say(f"It serves on {service.url}; its EVM chain runs beside it.\n")
        tell(service, options.rows)
        say(f"\nAll of it took {time.perf_counter() - started:.0f} s.", end=" ")
        if not options.exit:
            say("The server keeps running; stop it with Ctrl-C.")
            service.wait()
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        service.stop()
    say("The server has stopped; without EXIT=1 it keeps running.")


def tell(service: DemoService, limit: int | None) -> None:
    """Record, anchor, verify, change, damage; every verdict on the way must be the expected one."""
    purchases, completions = list(read_purchases())[:limit], list(read_completions())[:limit]
    say("Recording purchases (CDNOW), passed courses (Open University) and agencies' files:")
    singles = min(SINGLES, len(purchases) // 2)
    orders = record_singly(service, purchases[:singles])
    record_in_bulk(service, purchases[singles:], org=ORG, word="purchases")
    results = record_in_bulk(service, completions, org=SCHOOL, word="completions")
    files = record_files(service)
    people = len({row["buyer"] for row in purchases} | {row["learner"] for row in completions})
    say(f"  {people:>6,} customers and students, each under a key of their own\n")
    say("Anchored in contracts on the chain, a transaction for each log, however many records are behind it:")
    for org, collection in LOGS.items():
        demo_checks.show_anchor(service, org, collection)
    service.export_trust(LOGS)
    say(
        "\nVerified online (POST /v1/verify: the server asks its node), offline (python -m ledger_service.proofs):"
    )
    samples = [(ORG, order) for order in orders[:: max(1, len(orders) // 5)][:5]]
    samples += [(SCHOOL, results[-1]), *((file.org, files[file.name]) for file in FILES)]
    for org, record in samples:
        said = demo_checks.check_both_ways(service, org, record, expect="valid")
    say(f"    {len(samples)} records     {said}\n")
    say("The records are real; what happens to some of them now is made up:")
    demo_changes.refund(service, orders[REFUNDED], purchases[REFUNDED])
    demo_changes.revoke(service, results[REVOKED])
    demo_changes.supersede(service, files[EMPLOYMENT.name])
    demo_changes.correct(service, results[CORRECTED], completions[CORRECTED])
    demo_changes.erase(service, orders[FORGOTTEN], purchases[FORGOTTEN]["buyer"])
    demo_damage.damage_three(service, orders[UNTOUCHED])
    weather = Path(shutil.copy(FOLDER / WEATHER.name, service.folder / WEATHER.org / WEATHER.name))
    demo_checks.suggest(service, revoked=results[REVOKED], file=weather, record=files[WEATHER.name])


if __name__ == "__main__":
    main()
