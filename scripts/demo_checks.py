"""The second half of the demo: what the chain holds, what verifiers say, and three damages that are caught."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pysqlite3

from scripts.demo_service import ORG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        (service.folder / "evidence.json").write_bytes(_evidence(service, record))
        offline = _verify_offline(service, "evidence.json", expect=0)
        if online["result"] != "valid":
            raise SystemExit(f"{record} was verified as {online['result']}: {online['reason']}")
        if number == 0:
            print(f"Verified {len(ids)} records online (the server asks its node) and offline (no network, no server):")
            print(f"  online:  {online['people']}: {online['reason']}\n  offline: {offline}\n")


def damage_three(service: DemoService, record: str) -> None:
    """Change one byte in evidence, payload and tile; each must be caught by name."""
    evidence = bytearray(_evidence(service, record))
    evidence[evidence.index(b"]", evidence.index(b'"amount_minor",')) - 1] ^= 1  # the last digit of the amount
    (service.folder / "damaged.json").write_bytes(evidence)
    said = _verify_offline(service, "damaged.json", expect=1)
    print(f"One digit changed in evidence; the verifier says:\n  {said}")
    copy = service.folder / "damaged"
    copy.mkdir()
    source = service.folder / "ledger"
    shutil.copytree(source / "keys", copy / "keys")
    shutil.copy(source / "chain.url", copy)
    _copy_damaged(source / "ledger.db", copy / "ledger.db")
    said = service.cli("audit", expect=1, AUDIT_LEDGER_DATA_DIR=str(copy))
    if "payload" not in said or "tile" not in said:
        raise SystemExit(f"the auditor did not name both damages:\n{said}")
    print("One byte changed in a payload and in a tile of a copy; the auditor says:")
    print("".join(f"  {line}\n" for line in said.strip().splitlines()[:8]))


def suggest(service: DemoService, record: str) -> None:
    """Three commands to try while the server runs."""
    print(f"{service.url} is yours to try:\n")
    print(f"  curl {service.url}/v1/records/{record}")
    print(f"  curl {service.url}/logs/{ORG}/purchases/checkpoint")
    print(f"  cd {service.folder} && {' '.join([*VERIFIER, 'evidence.json', *TRUST])}")


def _evidence(service: DemoService, record: str) -> bytes:
    return service.call("GET", f"/v1/records/{record}/evidence?fields=amount_minor,currency")[1]


def _verify_offline(service: DemoService, name: str, *, expect: int) -> str:
    command = [*VERIFIER, name, *TRUST]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != expect:
        raise SystemExit(f"the verifier ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()[0]


def _in_folder(service: DemoService) -> list[str]:
    return ["--policy", str(service.folder / "policy.txt"), "--trust", str(service.folder / "trust.json")]


def _copy_damaged(source: Path, target: Path) -> None:
    """Copy a live database as a backup does, then change one byte in a payload and one in a tile."""
    target.touch(mode=0o600)
    live, copy = pysqlite3.connect(source), pysqlite3.connect(target)
    live.backup(copy)
    damages = ("sealed_payloads", "sealed", "record = 2"), ("log_tiles", "hashes", "level = 0 AND idx = 1")
    for table, column, row in damages:
        [blob] = copy.execute(f"SELECT {column} FROM {table} WHERE {row}").fetchone()  # noqa: S608 - constants above
        damaged = bytes([*blob[:40], blob[40] ^ 1, *blob[41:]])
        copy.execute(f"UPDATE {table} SET {column} = ? WHERE {row}", (damaged,))  # noqa: S608 - constants above
    copy.commit()


def _ask_chain(service: DemoService, method: str, *parameters: Any) -> dict[str, Any]:
    url = (service.folder / "ledger/chain.url").read_text(encoding="ascii").strip()
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    request = urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own node on loopback
        result: dict[str, Any] = json.load(answer)["result"]
    return result
