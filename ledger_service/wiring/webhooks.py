"""The parts that tell organizations what was anchored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from ledger_service.errors import LedgerError
from ledger_service.webhooks.courier import Courier
from ledger_service.webhooks.destinations import Reach
from ledger_service.webhooks.endpoints import Endpoints
from ledger_service.webhooks.outbox import Outbox
from ledger_service.webhooks.sender import Sender

if TYPE_CHECKING:
    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring

_log: Final = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where events go, and what brings them there."""

    endpoints: Endpoints
    courier: Courier


def build_webhooks(settings: Settings, database: Database, keyring: Keyring, *, clock: Clock) -> Webhooks:
    """Build it; nothing is sent before the courier is started."""
    reach = Reach(settings.webhook_ports, unsafe_local=settings.unsafe_webhooks)
    entropy = secrets.token_bytes
    endpoints = Endpoints(database, keyring, reach=reach, clock=clock, entropy=entropy)
    outbox = Outbox(database, endpoints, clock=clock, entropy=entropy)
    courier = Courier(outbox, Sender(reach), clock=clock, poll_s=settings.chain_poll_s, report=_report)
    return Webhooks(endpoints, courier)


def _report(error: Exception) -> None:
    if isinstance(error, LedgerError):
        _log.warning("trouble", code=error.code, detail=error.text, details=error.details)
    else:
        _log.error("defect", kind=type(error).__name__, exc_info=error)
