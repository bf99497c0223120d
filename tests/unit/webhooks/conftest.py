"""A small ledger on each engine whose checkpoints a test makes final by hand, and a receiver."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from ledger_service.accounts.organizations import Organization, Organizations
from ledger_service.chain.anchor_store import FINAL, AnchorStore, PlannedAnchor, Sighting
from ledger_service.chain.tables import anchors, chain_contracts, chains
from ledger_service.clock import SystemClock
from ledger_service.webhooks.courier import Courier
from ledger_service.webhooks.destinations import Reach
from ledger_service.webhooks.endpoints import Endpoints
from ledger_service.webhooks.outbox import Outbox
from ledger_service.webhooks.sender import Sender
from tests.support.small_ledger import SetClock, SmallLedger, small_ledger
from tests.support.webhook_receiver import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Desk:
    """The parts of webhooks on one ledger. Its clock begins at the machine's time and is moved by hand."""

    ledger: SmallLedger
    clock: SetClock
    org: Organization
    endpoints: Endpoints
    outbox: Outbox
    courier: Courier
    reported: list[Exception]
    contract: int

    def finalize(self, size: int, *, log: int | None = None, stage: str = FINAL) -> None:
        """Let the chain hold a checkpoint of this size."""
        log = log or self.ledger.log.id
        seen = Sighting(
            b"l" * 32, 100 + size, 0, None, None, size, bytes([size % 256]) * 32, 100, b"t" * 32, None
        )
        with self.ledger.database.write("chain.observe") as conn:
            anchor = PlannedAnchor(self.contract, log, size, bytes([size % 256]) * 32)
            AnchorStore(self.ledger.database, clock=self.clock).see(conn, anchor, seen, stage=stage)

    def dispute(self, size: int) -> None:
        """Let the chain have lost a final checkpoint."""
        with self.ledger.database.write("chain.observe") as conn:
            conn.execute(update(anchors).where(anchors.c.size == size).values(disputed=1))

    def states(self, name: str) -> list[tuple[int, str, int]]:
        """Size, state and attempts of each event of an endpoint, oldest first."""
        found = self.endpoints.deliveries(self.org, name)
        return [(each.size, each.state, each.attempts) for each in reversed(found)]


def make_desk(ledger: SmallLedger, clock: SetClock) -> Desk:
    """The parts, wired by hand."""
    org = Organizations(ledger.database, clock=clock).create("shop", name="The Shop")
    assert org.id == ledger.log.org_id
    with ledger.database.write("chain.pin") as conn:
        conn.execute(insert(chains).values(chain_id=7, genesis_hash=b"g" * 32, self_anchored=1, pinned=0))
        chain = conn.execute(select(chains.c.id)).scalar_one()
        row = {"chain": chain, "kind": "PurchaseLedger", "address": b"a" * 20, "code_hash": b"c" * 32}
        contract = conn.execute(
            insert(chain_contracts).values(row).returning(chain_contracts.c.id)
        ).scalar_one()
    reach = Reach(unsafe_local=True)
    endpoints = Endpoints(ledger.database, ledger.keyring, reach=reach, clock=clock, entropy=os.urandom)
    outbox = Outbox(ledger.database, endpoints, clock=clock, entropy=os.urandom)
    reported: list[Exception] = []
    sender = Sender(reach, limit_s=5)
    courier = Courier(outbox, sender, clock=clock, poll_s=0.05, report=reported.append)
    return Desk(ledger, clock, org, endpoints, outbox, courier, reported, contract)


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Webhooks on each engine."""
    url = None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    clock = SetClock(SystemClock().now())
    with small_ledger(tmp_path, url=url, clock=clock) as ledger:
        yield make_desk(ledger, clock)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """An organization's own server."""
    with WebhookReceiver() as listening:
        yield listening
