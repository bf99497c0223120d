"""The part of the demo that checks: what the chain holds, what verifiers say, and what to try next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from scripts.demo_calls import ORG, SCHOOL, say
from scripts.demo_service import AUDIT_LEDGER

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.demo_service import DemoService

VERIFIER = [sys.executable, "-m", "ledger_service.proofs"]
# What holders show of their records. A certificate's end must be seen, for a hidden one could be over.
SHOWN = {ORG: "amount_minor,currency", SCHOOL: "course,result,valid_until"}
TRUST = ["--policy", "policy.txt", "--trust", "trust.json"]


def show_anchor(service: DemoService, org: str, collection: str) -> None:
    """Wait until the newest checkpoint of a log is anchored; say where, and what it cost."""
    for _ in range(600):
        log = json.loads(service.call("GET", f"/v1/logs/{org}/{collection}").body)
        if (anchor := log["anchor"]) and anchor["size"] == log["size"]:
            break
        time.sleep(0.1)
    else:
        raise SystemExit("the newest checkpoint was not anchored within a minute")
    receipt = _ask_chain(service, "eth_getTransactionReceipt", anchor["tx_hash"])
    say(f"  {log['size']:>6,} entries of {log['origin']}: block {anchor['block_number']}, "
        f"{int(receipt['gasUsed'], 16):,} gas")  # fmt: skip


def check_both_ways(
    service: DemoService, org: str, record: str, *, expect: str, fields: str | None = None
) -> str:
    """Have the same evidence judged by the server and by the offline verifier; returns what they said.

    Both must say what is expected, or the demo ends. The evidence stays in the organization's folder.
    """
    evidence = fetch_evidence(service, org, record, fields=SHOWN.get(org, "") if fields is None else fields)
    online = json.loads(service.call("POST", "/v1/verify", evidence).body)
    (service.folder / org / "evidence.json").write_bytes(evidence)
    offline = verify_offline(service, org, "evidence.json", expect=int(expect != "valid"))
    answer, result = offline.split(" (")[0].split(": ")
    if not online["result"] == result == expect:
        raise SystemExit(f"{record} must be {expect}, but is {online['result']} online; offline: {offline}")
    return f"online: {online['people']} ({online['result']})".ljust(34) + f"offline: {answer} ({result})"


def fetch_evidence(service: DemoService, org: str, record: str, *, fields: str = "") -> bytes:
    """The evidence of a record; its contents stay hidden but for the fields that are named."""
    query = f"?fields={fields}" if fields else ""
    return service.call("GET", f"/v1/records/{record}/evidence{query}", org=org).body


def verify_offline(service: DemoService, org: str, name: str, *, expect: int) -> str:
    """Run the offline verifier in an organization's folder; returns its first line."""
    command = [*VERIFIER, name, *TRUST]
    done = subprocess.run(command, cwd=service.folder / org, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise SystemExit(
            f"the verifier ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout.splitlines()[0]


def suggest(service: DemoService, *, revoked: str, file: Path, record: str) -> None:
    """The address, and three commands to try while the server runs."""
    org = file.parent.name
    (file.parent / "evidence.json").write_bytes(fetch_evidence(service, org, record))
    command, folder = os.path.relpath(AUDIT_LEDGER), os.path.relpath(service.folder)
    say(f"The ledger answers at {service.url}. In a browser: a completion that was revoked,")
    say(f"  {service.url}/records/{revoked}")
    say(f"and {service.url}/verify for whatever you were given. Three things to try, in another terminal:\n")
    say("  # what anybody may know of the revoked completion: nothing personal")
    say(f"  curl {service.url}/v1/records/{revoked}\n")
    say("  # what the shop may ask: which record is this order of mine?")
    say(f"  {command} find cdnow --ref 19970101-000001 --url {service.url} --key-file {folder}/cdnow/key\n")
    say("  # is this file the one that the agency notarized? Change a byte of it and ask again")
    say(f"  {command} verify {folder}/{org}/{file.name} {folder}/{org}/evidence.json \\")
    say(f"    --policy {folder}/{org}/policy.txt --trust {folder}/{org}/trust.json")


def _ask_chain(service: DemoService, method: str, *parameters: Any) -> dict[str, Any]:
    url = (service.folder / "ledger/chain.url").read_text(encoding="ascii").strip()
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    request = urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own node on loopback
        result: dict[str, Any] = json.load(answer)["result"]
    return result
