"""A change of status through the whole service on a real node, to what a verifier makes of it there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from ledger_service.chain.account import PublisherAccount
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.marketplace.refunds import EXAMPLE_REFUND
from ledger_service.proofs.evidence import format_evidence, parse_evidence
from ledger_service.records.intake import Submission
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.records.reasons import reason_code
from ledger_service.verification.recorder import Recorded
from ledger_service.wiring import Service, build
from ledger_service.wiring.installation import install
from tests.support.http_ledger import until
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.chain.status_store import MirroredChange
    from ledger_service.verification.recorder import Pending
    from tests.support.anvil import Anvil

EXAMPLES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "purchases": ("purchase/v1", EXAMPLE_PURCHASE),
    "completions": ("completion/v1", EXAMPLE_COMPLETION),
    "datasets": ("dataset/v1", EXAMPLE_DATASET),
}


@pytest.fixture
def service(anvil: Anvil, tmp_path: Path) -> Iterator[Service]:
    """A service with one organization that anchors on Anvil."""
    changes = {"CONFIRMATIONS": "1", "CHAIN_POLL_S": "0.1", "ANCHOR_EVERY_S": "0"}
    settings = settings_in(tmp_path, CHAIN_URL=anvil.url, **changes)
    payer = PublisherAccount(bytes.fromhex("11" * 32)).address
    anvil.rpc.call("anvil_setBalance", "0x" + payer.hex(), hex(10**20))
    install(settings)
    with build(settings) as built:
        built.create_organization("shop", name="The Shop")
        built.start()
        until(lambda: built.readiness() if built.readiness().ready else None)
        yield built


def record(
    service: Service, collection: str, kind: str, payload: dict[str, Any], *, key: str = "first"
) -> str:
    """Record a fact; return its id."""
    known = service.kinds.get(kind)
    parsed = known.parse(payload, service.clock.now())
    log = service.log_of(service.organizations.find("shop").id, collection)
    return done(service.record(Submission(log.target, known, parsed, IdempotencyKey(key))))


def done(made: Recorded | Pending) -> str:
    """The id of what was recorded."""
    assert isinstance(made, Recorded)
    return str(made.id)


def change(service: Service, collection: str, record_id: str, said: str) -> None:
    """Change a record as its kind is changed: by a refund, by a correction, by its organization's word."""
    org, reason = service.organizations.find("shop").id, {"reason": "entered_in_error"}
    if said == "refunded":
        refund = {**EXAMPLE_REFUND, "purchase": record_id}
        refund |= {"amount_minor": EXAMPLE_PURCHASE["amount_minor"], "currency": EXAMPLE_PURCHASE["currency"]}
        record(service, collection, "refund/v1", refund, key="refund")
    elif said == "superseded":
        _, example = EXAMPLES[collection]
        done(service.correct(record_id, reason, replacement=example, org_id=org, key="corrected"))
    else:
        done(service.change_status(record_id, {"state": said, **reason}, org_id=org, key=said))


def mirrored(service: Service, record_id: str, number: int) -> tuple[MirroredChange, ...]:
    """Wait until contracts hold that many changes of a record."""

    def look() -> tuple[MirroredChange, ...] | None:
        found = service.archive.state(record_id).in_contracts
        return found if [each.outcome for each in found] == ["mirrored"] * number else None

    return until(look)


def judged(service: Service, record_id: str) -> set[str]:
    """The verdicts on a record's evidence, with its status statement and without."""
    org = service.organizations.find("shop").id
    evidence = service.archive.disclosed_evidence(record_id, names=None, org_id=org)
    silent = format_evidence(replace(parse_evidence(evidence), status=None))
    return {str(service.judge.judge(each).result) for each in (evidence, silent)}


@pytest.mark.parametrize(
    ("collection", "said"),
    [
        ("purchases", ["refunded"]),
        ("purchases", ["superseded"]),
        ("completions", ["suspended", "active", "revoked"]),
        ("completions", ["superseded"]),
        ("datasets", ["withdrawn"]),
        ("datasets", ["superseded"]),
    ],
)
def test_every_change_of_every_kind_reaches_its_contract(
    service: Service, collection: str, said: list[str]
) -> None:
    """What the log allows the contract takes, in the same order, and the contract's state counts in verdicts."""
    kind, example = EXAMPLES[collection]
    record_id = record(service, collection, kind, example)
    for state in said:
        change(service, collection, record_id, state)
    held = mirrored(service, record_id, len(said))
    assert [each.mirror.state.name.lower() for each in held] == said
    assert said == ["refunded"] or {each.mirror.reason for each in held} == {reason_code("entered_in_error")}
    assert service.readiness().notes == ()
    assert judged(service, record_id) == {said[-1]}


def test_the_contracts_state_comes_back_after_a_reorganization(service: Service, anvil: Anvil) -> None:
    """The worse state counts beside a statement and without one, and a reorganization takes it back for a while."""
    record_id = record(service, "completions", "completion/v1", EXAMPLE_COMPLETION)
    change(service, "completions", record_id, "revoked")
    (first,) = mirrored(service, record_id, 1)
    assert judged(service, record_id) == {"revoked"}
    anvil.reorganize(4)
    until(lambda: mirrored(service, record_id, 1)[0].block_number != first.block_number or None)
    assert until(lambda: judged(service, record_id) == {"revoked"} or None)
