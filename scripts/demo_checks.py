"""The second half of the demo: what the chain holds, what verifiers say, and what to try next."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from scripts.demo_service import ORG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.demo_service import DemoService

VERIFIER = [sys.executable, "-m", "ledger_service.proofs"]
TRUST = ["--policy", "policy.txt", "--trust", "trust.json"]


def show_anchor(service: DemoService) -> None:
    """Wait until the newest checkpoint is anchored; say where, and what it cost."""
    for _ in range(600):
        log = json.loads(service.call("GET", f"/v1/logs/{ORG}/purchases")[1])
        if (anchor := log["anchor"]) and anchor["size"] == log["size"]:
            break
        time.sleep(0.1)
    else:
        raise SystemExit("the newest checkpoint was not anchored within a minute")
    gas = int(_ask_chain(service, "eth_getTransactionReceipt", anchor["tx_hash"])["gasUsed"], 16)
    print(f"Anchored: all {log['size']:,} entries of {log['origin']}")
    print(f"  contract {anchor['contract']} on chain {anchor['chain_id']}, block {anchor['block_number']}")
    print(f"  {gas:,} gas for the newest checkpoint, however many records are behind it\n")


def verify_some(service: DemoService, ids: Sequence[str]) -> None:
    """Verify records online and offline; every one must be genuine."""
    service.cli("trust", "export", ORG, *_in_folder(service))
    for number, record in enumerate(ids):
        body = json.dumps({"record": record}).encode()
        online = json.loads(service.call("POST", "/v1/verify", body)[1])
        (service.folder / "evidence.json").write_bytes(fetch_evidence(service, record))
        offline = verify_offline(service, "evidence.json", expect=0)
        if online["result"] != "valid":
            raise SystemExit(f"{record} was verified as {online['result']}: {online['reason']}")
        if number == 0:
            print(f"Verified {len(ids)} records online (the server asks its node) and offline (no network):")
            print(f"  online:  {online['people']}: {online['reason']}\n  offline: {offline}\n")


def suggest(service: DemoService, record: str) -> None:
    """Three commands to try while the server runs."""
    print(f"{service.url} is yours to try:\n")
    print(f"  curl {service.url}/v1/records/{record}")
    print(f"  curl {service.url}/logs/{ORG}/purchases/checkpoint")
    print(f"  cd {service.folder} && {' '.join([*VERIFIER, 'evidence.json', *TRUST])}")


def fetch_evidence(service: DemoService, record: str) -> bytes:
    """The evidence of a record with two of its fields disclosed."""
    return service.call("GET", f"/v1/records/{record}/evidence?fields=amount_minor,currency")[1]


def verify_offline(service: DemoService, name: str, *, expect: int) -> str:
    """Run the offline verifier in the demo's folder; returns its first line."""
    command = [*VERIFIER, name, *TRUST]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise SystemExit(
            f"the verifier ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout.splitlines()[0]


def _in_folder(service: DemoService) -> list[str]:
    return ["--policy", str(service.folder / "policy.txt"), "--trust", str(service.folder / "trust.json")]


def _ask_chain(service: DemoService, method: str, *parameters: Any) -> dict[str, Any]:
    url = (service.folder / "ledger/chain.url").read_text(encoding="ascii").strip()
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    request = urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own node on loopback
        result: dict[str, Any] = json.load(answer)["result"]
    return result
