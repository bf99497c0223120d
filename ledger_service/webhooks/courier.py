"""The courier: one thread that looks for what became final, and a few that deliver."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ledger_service.errors import DeliveryError, LedgerError, StorageFatalError, WebhookUrlError
from ledger_service.webhooks.signing import sign_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.clock import Clock
    from ledger_service.webhooks.outbox import Attempt, Outbox
    from ledger_service.webhooks.sender import Sender

SENDING: Final = 8
"""Endpoints that are delivered to at a time, one event each: a slow one holds up nobody but itself."""
_FORGET_EVERY: Final = timedelta(hours=1)
_LAST_WORDS_S: Final = 2.0


class Courier:
    """Brings events to their endpoints, at least once and in order for each endpoint."""

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        *,
        clock: Clock,
        poll_s: float,
        report: Callable[[Exception], None],
    ) -> None:
        """Look every `poll_s` seconds; `report` hears of what kept a look from being made."""
        self._outbox = outbox
        self._sender = sender
        self._clock = clock
        self._poll_s = poll_s
        self._report = report
        self._busy: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in the process that serves."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing new. An attempt that does not end at once is made again after the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        with self._lock:
            sending = list(self._busy.values())
        for thread in sending:
            thread.join(timeout=_LAST_WORDS_S)

    def deliver_due(self) -> int:
        """Collect what is new and make each attempt that is due, one after the other; returns how many."""
        self._outbox.collect()
        made = 0
        while attempts := self._outbox.claim(busy=(), most=SENDING):
            for attempt in attempts:
                self._deliver(attempt)
            made += len(attempts)
        return made

    def _run(self) -> None:
        forget_at = self._clock.now()
        while not self._stopping:
            self._wake.clear()
            try:
                self._outbox.collect()
                self._dispatch()
                if self._clock.now() >= forget_at:
                    self._outbox.forget_old()
                    forget_at = self._clock.now() + _FORGET_EVERY
            except StorageFatalError as error:
                # Whoever keeps the ledger thread ends the process; the outbox is read afresh by the next one.
                self._report(error)
                return
            except Exception as error:  # noqa: BLE001  a failed look must not end all deliveries unseen
                self._report(error)
                self._wake.clear()
            self._wake.wait(self._poll_s)

    def _dispatch(self) -> None:
        with self._lock:
            busy = set(self._busy)
        for attempt in self._outbox.claim(busy=busy, most=SENDING - len(busy)):
            thread = threading.Thread(
                target=self._deliver_aside, args=(attempt,), name="webhook", daemon=True
            )
            with self._lock:
                self._busy[attempt.endpoint] = thread
            thread.start()

    def _deliver_aside(self, attempt: Attempt) -> None:
        try:
            self._deliver(attempt)
        except Exception as error:  # noqa: BLE001  the claim runs out, and the attempt is made again
            if not self._stopping:
                self._report(error)
        finally:
            with self._lock:
                del self._busy[attempt.endpoint]
            # There may be another event for this endpoint.
            self._wake.set()

    def _deliver(self, attempt: Attempt) -> None:
        status, problem = None, None
        try:
            status = self._send(attempt)
        except (DeliveryError, WebhookUrlError) as error:
            problem = error.text
        self._outbox.settle(attempt, status=status, problem=problem)

    def _send(self, attempt: Attempt) -> int:
        if isinstance(attempt.secret, LedgerError):
            raise DeliveryError("The endpoint's secret cannot be opened.")
        headers = sign_event(
            attempt.name,
            timestamp=int(self._clock.now().timestamp()),
            body=attempt.body,
            secret=attempt.secret,
        )
        return self._sender.send(attempt.url, attempt.body, headers=headers)
