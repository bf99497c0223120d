"""The thread that looks after signing and anchoring.

Before anything is signed after a start, the database is compared with what the chain and the guard file have
seen of it: a restored backup would sign a second history. Only then does the ledger thread begin. Afterwards
this thread brings checkpoints to the chain, and goes on comparing. Reads never wait for any of it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from ledger_service.errors import (
    ChainError,
    LedgerError,
    NotReadyError,
    RollbackDetectedError,
    StorageFatalError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.chain.anchorer import Anchorer, StepSummary
    from ledger_service.chain.guard import HighWaterGuard
    from ledger_service.log.ledger_thread import LedgerThread

_log: Final = structlog.get_logger("keeper")
_STARTING: Final = "The database has not been compared with the chain since the start."


class Keeper:
    """Starts the ledger thread when that is safe, and anchors what it publishes."""

    def __init__(
        self,
        ledger: LedgerThread,
        anchorer: Anchorer,
        *,
        compare: Callable[[], object],
        guard: HighWaterGuard,
        poll_s: float,
        on_fatal: Callable[[LedgerError], None],
    ) -> None:
        """`compare` raises RollbackDetectedError when the database is too old.

        `on_fatal` ends the process.
        """
        self._ledger = ledger
        self._anchorer = anchorer
        self._compare = compare
        self._guard = guard
        self._poll_s = poll_s
        self._on_fatal = on_fatal
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._signing = False
        self._compared = False
        self._refusal: LedgerError | None = NotReadyError(_STARTING)
        self._chain_trouble: LedgerError | None = None
        self._summary: StepSummary | None = None
        self._looked_at: float | None = None

    def start(self) -> None:
        """Begin, in the process that serves."""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the ledger thread finish what it took, then end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        if self._signing:
            self._ledger.stop()

    def check_writable(self) -> None:
        """Raise what keeps writes out.

        NotReadyError, RollbackDetectedError, or what stopped the ledger thread.
        """
        refusal = self._refusal or self._ledger.failure
        if refusal is not None:
            raise type(refusal)(refusal.text, **refusal.details)

    @property
    def refusal(self) -> LedgerError | None:
        """What keeps writes out now, or None."""
        return self._refusal or self._ledger.failure

    @property
    def chain_trouble(self) -> LedgerError | None:
        """What kept the last look at the chain from being made, or None."""
        return self._chain_trouble

    @property
    def leads(self) -> bool:
        """Whether this process sequences and anchors, rather than another one."""
        return self._ledger.leads

    @property
    def silent_s(self) -> float | None:
        """Seconds since the last look at the chain that was made, or None before the first."""
        return None if self._looked_at is None else time.monotonic() - self._looked_at

    @property
    def summary(self) -> StepSummary | None:
        """What the last look at the chain saw, or None before the first."""
        return self._summary

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except StorageFatalError as error:
                self._on_fatal(error)
                return
            except RollbackDetectedError as error:
                self._refuse(error)
                return
            except LedgerError as error:
                self._note_trouble(error)
            except Exception as error:  # noqa: BLE001  a defect of ours must not end anchoring unseen
                _log.error("defect", exc_info=error)
                self._note_trouble(ChainError(f"The keeper has a defect: {type(error).__name__}."))
            self._stop.wait(self._poll_s)

    def _look(self) -> None:
        if not self._compared:
            self._settle()
        if not self._ledger.leads:
            # The process that sequences anchors as well: the account has one row of nonces.
            self._note_look()
            return
        summary = self._anchorer.step()
        if summary.rolled_back:
            raise summary.rolled_back[0]
        self._summary = summary
        self._note_look()

    def _note_look(self) -> None:
        self._chain_trouble = None
        self._looked_at = time.monotonic()

    def _settle(self) -> None:
        """Compare; begin to sign if that showed nothing, or if the guard file alone vouches."""
        try:
            self._compare()
        except RollbackDetectedError:
            raise
        except ChainError:
            # The guard was compared before the chain was asked: where there is one, logging does not wait.
            if not self._guard.marks.logs:
                raise
            self._begin()
            raise
        self._compared = True
        self._begin()

    def _begin(self) -> None:
        if not self._signing:
            self._ledger.start()
            self._signing = True
            self._refusal = None

    def _refuse(self, error: RollbackDetectedError) -> None:
        _log.error("rollback detected, nothing is signed", code=error.code, details=error.details)
        self._refusal = error
        if self._signing:
            self._ledger.stop()

    def _note_trouble(self, error: LedgerError) -> None:
        if self._chain_trouble is None or self._chain_trouble.code != error.code:
            _log.warning("chain trouble", code=error.code, detail=error.text, details=error.details)
        self._chain_trouble = error
        if not self._signing:
            self._refusal = NotReadyError(f"{_STARTING} {error.text}", cause=error.code)
