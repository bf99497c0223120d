"""A ledger with something of everything in it, for those who look at its pages: tests and screenshots."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from tests.support.http_ledger import HttpLedger, purchase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShownLedger:
    """The ledger and the records that pages are shown for, by what they are."""

    ledger: HttpLedger
    records: dict[str, str]

    @property
    def url(self) -> str:
        """Where it is."""
        return self.ledger.url


@contextmanager
def shown_ledger(folder: Path) -> Iterator[ShownLedger]:
    """Serve a ledger whose purchases, completions and data sets are anchored, changed, and have successors."""
    with HttpLedger(folder) as ledger:
        yield ShownLedger(ledger, _fill(ledger))


def _fill(ledger: HttpLedger) -> dict[str, str]:
    records = {}
    for batch in range(3):
        rows = [json.dumps(purchase(f"2026-{4700 + 30 * batch + row:06}")).encode() for row in range(30)]
        ledger.bulk(rows, name=f"batch-{batch}")
        # Each batch is anchored by itself, so that there is something to draw.
        last = ledger.record(purchase(f"2026-{9000 + batch:06}"), name=f"last-{batch}").record
        ledger.wait_stage(last, "final")
        records["purchase"] = last
    refund = {
        "purchase": records["purchase"],
        "refund_number": "R-31",
        "amount_minor": 4500,
        "currency": "USD",
        "refunded_at": "2026-11-24T09:00:00Z",
        "reason": "returned",
    }
    records["refund"] = _post(ledger, "/v1/orgs/shop/refunds", refund)
    records["refunded"] = records["purchase"]
    records["purchase"] = _post(ledger, "/v1/orgs/shop/purchases", purchase("2026-009100"))
    for number, state in (("valid", None), ("suspended", "suspended"), ("revoked", "revoked")):
        body = {**EXAMPLE_COMPLETION, "certificate_number": f"cert-{number}"}
        records[f"{number} completion"] = _post(ledger, "/v1/orgs/shop/completions", body)
        if state is not None:
            change = {"state": state, "reason": "under_review" if state == "suspended" else "issuer_decision"}
            _post(ledger, f"/v1/records/{records[f'{number} completion']}/status", change)
    records["old dataset"] = _post(ledger, "/v1/orgs/shop/datasets", dict(EXAMPLE_DATASET))
    newer = {**EXAMPLE_DATASET, "title": "Hourly air quality, corrected", "publish_digest": True}
    newer["supersedes"] = records["old dataset"]
    records["dataset"] = _post(ledger, "/v1/orgs/shop/datasets", newer)
    for record in records.values():
        ledger.wait_stage(record, "final")
    return records


def _post(ledger: HttpLedger, path: str, body: dict[str, Any]) -> str:
    sent = json.dumps(body).encode()
    reply = ledger.ask(
        "POST",
        path,
        sent,
        key=ledger.key,
        Idempotency_Key=hashlib.sha256(path.encode() + sent).hexdigest(),
        Content_Type="application/json",
    )
    assert reply.status == 201, reply.body
    return reply.record
