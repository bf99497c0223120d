"""A process that writes notes and says which ones were acknowledged, until it is killed.

python -m tests.unit.storage.writer_program URL [FAILPOINTS]
"""

from __future__ import annotations

import itertools
import sys

from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from tests.unit.storage.notes import metadata, notes


def main(url: str, armed: str = "") -> None:
    """Write for ever."""
    db = Database.open(url)
    with db.write("storage.migrate") as conn:
        metadata.create_all(conn)
    with db.read() as conn:
        start = len(conn.execute(notes.select()).all()) // 2
    failpoints.arm(armed)
    for number in itertools.count(start):
        with db.write("records.accept") as conn:
            conn.execute(notes.insert(), {"word": str(number), "body": bytes(1_000)})
            conn.execute(notes.insert(), {"word": f"{number}'", "body": bytes(5_000)})
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
