"""Erasing as a caller sees it: erased, old pages emptied, and a signed certificate of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from ledger_service.errors import LedgerError, StorageBusyError
from ledger_service.proofs.erasure import (
    OVERWRITTEN,
    PENDING,
    VACUUMED,
    ErasureCertificate,
    certificate_message,
    format_certificate,
)
from ledger_service.records.tables import idempotency_keys, record_salts, records, sealed_payloads
from ledger_service.vault.tables import vault_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.log.eraser import Eraser
    from ledger_service.proofs.types import Origin
    from ledger_service.storage.engine import Database
    from ledger_service.verification.status import StatusSigner

_log: Final = structlog.get_logger("erasures")
_PAUSE_S: Final = 0.1
_LATER_S: Final = 1.0
_TABLES: Final = (idempotency_keys, record_salts, records, sealed_payloads, vault_keys)


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure with its certificate. `repeated`: it was done before, under the same key."""

    repeated: bool
    certificate: bytes = field(repr=False)


class Erasures:
    """Erases and certifies. Any number of threads may use one."""

    __slots__ = ("_bound_s", "_database", "_eraser", "_late", "_status_signer", "_stop")

    def __init__(
        self,
        database: Database,
        eraser: Eraser,
        *,
        status_signer: Callable[[Origin], StatusSigner],
        bound_s: float,
    ) -> None:
        """Wait at most `bound_s` for readers of old pages; the certificate says if they were still there."""
        self._database = database
        self._eraser = eraser
        self._status_signer = status_signer
        self._bound_s = bound_s
        self._stop = threading.Event()
        self._late = threading.Lock()

    def erase(self, org_id: int, subject: str, *, reason: str, key: str) -> Erased:
        """Erase a subject and certify it; the same key again certifies anew what was done then.

        Raises what `Eraser.erase` raises, and KeyUnavailableError or KeyFileError when nothing can be signed.
        """
        found = self._eraser.erase(org_id, subject, reason=reason, key=key)
        certificate = ErasureCertificate(
            org=found.org,
            reason=found.reason,
            erased=found.erased,
            unrecoverable=found.unrecoverable,
            records=found.records,
            entries=found.entries,
            pages=self._empty_pages(),
        )
        message = certificate_message(certificate)
        signatures = tuple(self._status_signer(each.log).certify(message) for each in found.entries)
        return Erased(found.repeated, format_certificate(replace(certificate, signatures=signatures)))

    def reapply(self) -> int:
        """Erase again what a restored backup brought back. Call it before anything is served.

        Returns how many erasures that were. Raises StorageError, KeyFileError for a damaged register.
        """
        count = self._eraser.reapply()
        if count:
            _log.warning("erasures carried out again", count=count)
            self._empty_pages()
        return count

    def resume(self) -> None:
        """Empty, in time, the journal that a crash right after an erasure left full."""
        if self._database.dialect == "sqlite":
            self._empty_in_time()

    def stop(self) -> None:
        """Wait for no reader any more."""
        self._stop.set()

    def _empty_pages(self) -> str:
        """Leave no old page in any file; returns what the certificate says of them."""
        deadline = time.monotonic() + self._bound_s
        while True:
            try:
                return self._try_pages()
            except StorageBusyError:
                if time.monotonic() >= deadline or self._stop.wait(_PAUSE_S):
                    break
        self._empty_in_time()
        return PENDING

    def _try_pages(self) -> str:
        if self._database.dialect == "postgresql":
            self._database.vacuum(_TABLES)
            return VACUUMED
        self._database.flush_journal()
        return OVERWRITTEN

    def _empty_in_time(self) -> None:
        threading.Thread(target=self._empty_later, name="erasures", daemon=True).start()

    def _empty_later(self) -> None:
        """Go on trying while a long reader keeps old pages alive; one thread does so for all."""
        if not self._late.acquire(blocking=False):
            return
        try:
            while not self._stop.wait(_LATER_S):
                try:
                    self._try_pages()
                except StorageBusyError:
                    continue
                except LedgerError as error:
                    _log.warning("old pages were not emptied", code=error.code)
                return
        finally:
            self._late.release()
