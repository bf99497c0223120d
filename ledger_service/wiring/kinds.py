"""Every kind of record that an installation keeps, and what the logs of each collection hold."""

from __future__ import annotations

from typing import Final

from ledger_service.credentials.completions import COMPLETION
from ledger_service.government.datasets import DATASET
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.marketplace.refunds import REFUND
from ledger_service.records.corrections import CORRECTION
from ledger_service.records.erasure import ERASURE
from ledger_service.records.kinds import KindRegistry
from ledger_service.records.statuses import STATUS

KINDS: Final = KindRegistry([PURCHASE, REFUND, COMPLETION, DATASET, STATUS, CORRECTION, ERASURE])

# What the logs of each collection hold for ever: the opening fixes it, so kinds to come are named already.
LOG_KINDS: Final = {
    "purchases": ("correction/v1", "erasure/v1", "purchase/v1", "refund/v1", "status/v1"),
    "completions": ("completion/v1", "correction/v1", "erasure/v1", "status/v1"),
    "datasets": ("correction/v1", "dataset/v1", "erasure/v1", "status/v1"),
}
