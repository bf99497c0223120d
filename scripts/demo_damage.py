"""Three damages of the demo, one byte each, and who catches them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pysqlite3

from scripts.demo_checks import fetch_evidence, verify_offline

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.demo_service import DemoService


def damage_three(service: DemoService, record: str) -> None:
    """Change one byte in evidence, payload and tile; each must be caught by name."""
    evidence = bytearray(fetch_evidence(service, record))
    evidence[evidence.index(b"]", evidence.index(b'"amount_minor",')) - 1] ^= (
        1  # the last digit of the amount
    )
    (service.folder / "damaged.json").write_bytes(evidence)
    said = verify_offline(service, "damaged.json", expect=1)
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
