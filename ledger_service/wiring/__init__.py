"""The composition root: what exists on the disk, and the service that is built on it."""

from ledger_service.wiring.build import build
from ledger_service.wiring.service import Readiness, Service

__all__ = ["Readiness", "Service", "build"]
