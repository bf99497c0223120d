"""What a service says of itself never keeps it from doing what it says."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from ledger_service.errors import LogError, StorageFatalError
from ledger_service.wiring.build import _alarm
from ledger_service.wiring.events import configure_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.errors import LedgerError


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Events go to a disk that takes nothing; logging is as it was afterwards."""
    handlers, level = logging.root.handlers, logging.root.level
    # Every write to this device fails with ENOSPC.
    with Path("/dev/full").open("wb", buffering=0) as nowhere, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", open(nowhere.fileno(), "w", closefd=False, encoding="utf-8"))  # noqa: SIM115
        yield
    structlog.reset_defaults()
    logging.root.handlers = handlers
    logging.root.setLevel(level)


@pytest.mark.usefixtures("full_disk")
def test_a_line_that_cannot_be_written_stops_nobody() -> None:
    """An event on a full or failed disk is lost, and its teller goes on."""
    configure_events("info")
    log = structlog.get_logger("test")
    for say in (log.info, log.warning, log.error, log.critical):
        say("something")


def test_a_storage_failure_ends_the_process_even_if_nobody_can_be_told() -> None:
    """The alarm passes on what is fatal although the line about it raises; other faults end nothing."""
    ended: list[LedgerError] = []

    def fail(_logger: object, _method: str, _event: object) -> str:
        raise OSError

    structlog.configure(processors=[fail])
    try:
        alarm = _alarm(ended.append)
        fatal = StorageFatalError()
        with pytest.raises(OSError, match=r"^$"):
            alarm(fatal)
        with pytest.raises(OSError, match=r"^$"):
            alarm(LogError())
    finally:
        structlog.reset_defaults()
    assert ended == [fatal]
