"""The process of the HTTP server: tied to the life of its parent, then gunicorn as its own command runs it.

The module is gunicorn's configuration as well, for the hook that ties the worker to gunicorn's own process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_PR_SET_PDEATHSIG: Final = 1
_FAILED: Final = 1


def die_with_parent(parent: int, *, with_signal: signal.Signals) -> None:
    """Have the kernel end this process when its parent is gone (prctl(2); Linux only)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:
        # It died before the line above, so nobody will send anything.
        sys.exit(_FAILED)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Gunicorn's hook: a worker whose master was killed must not go on answering beside its successor.

    Failpoints are armed in the first worker only: the one that follows a crash is there to recover.
    """
    die_with_parent(server.pid, with_signal=signal.SIGKILL)
    if worker.age == 1:
        failpoints.arm(settings_from_environment().failpoints)


def main() -> None:
    """Run gunicorn with the arguments of this process; the first names the parent's process."""
    parent = int(sys.argv.pop(1))
    die_with_parent(parent, with_signal=signal.SIGTERM)
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  not before the process is tied to its parent

    run(prog="audit-ledger")


if __name__ == "__main__":
    main()
