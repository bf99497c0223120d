"""A change of status through the whole service on a real node, to what a verifier makes of it there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from ledger_service.chain.account import PublisherAccount
from ledger_service.chain.status_store import changes_of
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.evidence import format_evidence, parse_evidence
from ledger_service.records.intake import Submission
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.records.tables import record_counter, records, status_changes
from ledger_service.storage.metadata import to_instant
from ledger_service.verification.recorder import Recorded
from ledger_service.wiring import Service, build
from ledger_service.wiring.installation import install
from tests.support.http_ledger import purchase, until
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.chain.status_store import MirroredChange
    from tests.support.anvil import Anvil


@pytest.fixture
def service(anvil: Anvil, tmp_path: Path) -> Iterator[Service]:
    """A service with one organization that anchors on Anvil."""
    settings = settings_in(
        tmp_path, CHAIN_URL=anvil.url, CONFIRMATIONS="1", CHAIN_POLL_S="0.1", ANCHOR_EVERY_S="0"
    )
    payer = PublisherAccount(bytes.fromhex("11" * 32)).address
    anvil.rpc.call("anvil_setBalance", "0x" + payer.hex(), hex(10**20))
    install(settings)
    with build(settings) as built:
        built.create_organization("shop", name="The Shop")
        built.start()
        until(lambda: built.readiness() if built.readiness().ready else None)
        yield built


def record(service: Service, name: str) -> str:
    """Record a purchase; return its id."""
    parsed = PURCHASE.parse(purchase(name), service.clock.now())
    log = service.log_of(service.organizations.find("shop").id, "purchases")
    made = service.record(Submission(log.target, PURCHASE, parsed, IdempotencyKey(name)))
    assert isinstance(made, Recorded)
    return str(made.id)


def supersede(service: Service, record_id: str) -> None:
    """Have the next record of the log explain that this one is superseded."""
    with service.database.write("records.accept") as conn:
        changed = conn.execute(
            select(records).where(records.c.rid == decode_base64url(record_id, size=16))
        ).one()
        last = conn.execute(select(record_counter.c.last)).scalar_one()
        now = to_instant(service.clock.now())
        values = {"explanation": last + 1, "record": changed.id, "log_id": changed.log_id}
        values |= {"state": "superseded", "reason": "replaced", "since": now, "accepted": now}
        conn.execute(insert(status_changes).values(values))
    record(service, "what explains it")


def mirrored(service: Service) -> MirroredChange:
    """Wait until the contract holds the change of entry 1."""

    def look() -> MirroredChange | None:
        log = service.log_of(service.organizations.find("shop").id, "purchases")
        with service.database.read() as conn:
            found = changes_of(conn, log.id, 1)
        return found[0] if found and found[0].outcome == "mirrored" else None

    return until(look)


def test_a_change_reaches_the_contract_and_every_verdict(service: Service, anvil: Anvil) -> None:
    """The contract's state counts beside a statement and without one, and comes back after a reorganization."""
    superseded = record(service, "first")
    supersede(service, superseded)
    first = mirrored(service)
    assert service.readiness().notes == ()
    evidence = service.archive.evidence(superseded)
    assert service.judge.judge(evidence).result == "superseded"
    silent = format_evidence(replace(parse_evidence(evidence), status=None))
    verdict = service.judge.judge(silent)
    assert verdict.result == "superseded"
    anvil.reorganize(4)
    until(lambda: True if mirrored(service).block_number != first.block_number else None)
    silent = format_evidence(replace(parse_evidence(service.archive.evidence(superseded)), status=None))
    assert until(
        lambda: service.judge.judge(silent) if service.judge.judge(silent).result == "superseded" else None
    )
    assert service.judge.judge(service.archive.evidence(record(service, "other"))).result == "valid"
