"""The service of this machine, for commands that work on the installation itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints
from ledger_service.wiring import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.wiring import Service


@contextmanager
def local_service() -> Iterator[Service]:
    """The service of the installation that the environment names: built, not started, closed at the end."""
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    with build(settings, anchoring=False) as service:
        yield service
