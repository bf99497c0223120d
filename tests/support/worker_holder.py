"""A process that keeps bulk workers until it is killed: `python -m tests.support.worker_holder CHUNK`."""

from __future__ import annotations

import pickle
import sys
import threading
from pathlib import Path

from ledger_service.records.bulk import BulkPreparer


def main() -> None:
    """Prepare one chunk, say which processes did it, and wait for the end."""
    with BulkPreparer(workers=1) as preparer:
        preparer.submit(pickle.loads(Path(sys.argv[1]).read_bytes())).result()
        print(*preparer.worker_pids(), flush=True)  # noqa: T201  the test reads it
        threading.Event().wait()


if __name__ == "__main__":
    main()
