"""Write the next revision of the schema from what the tables.py files say and the last revision does not.

    python scripts/new_migration.py add the table of officers

Read the file it writes: a rename looks like a loss to it, and data are never moved. `--first` writes revision
0001 anew, which is right only until the first release.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from ledger_service.storage.migrations import HEAD, make_config

ROOT = Path(__file__).parents[1]
VERSIONS = ROOT / "ledger_service" / "storage" / "migrations" / "versions"


def load_tables() -> None:
    """Import every tables.py of the service, so that the shared metadata knows all tables."""
    for path in sorted((ROOT / "ledger_service").rglob("tables.py")):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def write_revision(number: str, message: str) -> Path:
    """Write the revision file and return its path; the database it compares with lives for a moment only."""
    with tempfile.TemporaryDirectory() as directory:
        db = Database.open(f"sqlite:///{directory}/compared.db", reserve_bytes=0)
        if number != "0001":
            db.migrate()
        with db.write("storage.migrate") as conn:
            command.revision(make_config(conn), message=message, rev_id=number, autogenerate=True)
        db.close()
    (path,) = VERSIONS.glob(f"{number}_*.py")
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if "# ###" not in line]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)
    return path


def main(words: list[str]) -> int:
    """Write the revision; returns the exit status."""
    if not words:
        print(__doc__)
        return 64
    load_tables()
    if words == ["--first"]:
        for old in VERSIONS.glob("0001_*.py"):
            old.unlink()
        path = write_revision("0001", "The first schema")
    else:
        path = write_revision(f"{int(HEAD) + 1:04}", " ".join(words))
    print(
        f"wrote {path.name} from {len(metadata.tables)} tables: read it, and set HEAD in storage/migrations"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
