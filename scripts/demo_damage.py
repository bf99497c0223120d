"""Three damages of the demo, one byte each, and who catches them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pysqlite3

from scripts.demo_calls import ORG, say
from scripts.demo_checks import fetch_evidence, verify_offline
from scripts.demo_service import AUDIT_LEDGER

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.demo_service import DemoService


def damage_three(service: DemoService, record: str) -> None:
    """Change one byte in evidence, payload and tile; each must be caught by name."""
    evidence = bytearray(fetch_evidence(service, ORG, record, fields="amount_minor,currency"))
    last_digit = evidence.index(b"]", evidence.index(b'"amount_minor",')) - 1
    evidence[last_digit] ^= 1
    (service.folder / ORG / "damaged.json").write_bytes(evidence)
    said = verify_offline(service, ORG, "damaged.json", expect=1)
    say(f"One digit of an amount changed in evidence; the verifier says:\n    {said}")
    copy = service.folder / "damaged"
    copy.mkdir()
    source = service.folder / "ledger"
    shutil.copytree(source / "keys", copy / "keys")
    for name in ("chain.url", "guard.json", "erasures.log"):
        shutil.copy(source / name, copy)
    _copy_damaged(source / "ledger.db", copy / "ledger.db")
    environment = service.environment | {"AUDIT_LEDGER_DATA_DIR": str(copy)}
    audit = subprocess.run(
        [AUDIT_LEDGER, "audit"], env=environment, capture_output=True, text=True, check=False
    )
    said = audit.stdout
    if audit.returncode != 1 or "payload" not in said or "tile" not in said:
        raise SystemExit(f"the auditor did not name both damages:\n{said}{audit.stderr}")
    say("One byte changed in a payload and in a tile of a copy; the auditor says:")
    say("".join(f"    {line}\n" for line in said.strip().splitlines()[:8]))


def _copy_damaged(source: Path, target: Path) -> None:
    """Copy a live database as a backup does, then change one byte in a payload and one in a tile."""
    target.touch(mode=0o600)
    live, copy = pysqlite3.connect(source), pysqlite3.connect(target)
    live.backup(copy)
    damages = (
        ("sealed_payloads", "sealed", "record = (SELECT min(record) FROM sealed_payloads)"),
        ("log_tiles", "hashes", "level = 0 AND idx = 0 AND log_id = (SELECT min(log_id) FROM log_tiles)"),
    )
    for table, column, row in damages:
        [blob] = copy.execute(f"SELECT {column} FROM {table} WHERE {row}").fetchone()  # noqa: S608 - constants above
        damaged = bytes([*blob[:40], blob[40] ^ 1, *blob[41:]])
        copy.execute(f"UPDATE {table} SET {column} = ? WHERE {row}", (damaged,))  # noqa: S608 - constants above
    copy.commit()
