"""A service that signs and whose chain never answers, with a few purchases in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.records.intake import Submission
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.verification.recorder import Recorded
from ledger_service.wiring import Service, build
from ledger_service.wiring.installation import install
from tests.support.http_ledger import purchase, until
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.verification.recorder import Pending

ORIGIN = "ledger.test/logs/shop/purchases"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two organizations, and a log of the first that has begun."""
    settings = settings_in(tmp_path_factory.mktemp("service"))
    install(settings)
    with build(settings) as built:
        built.create_organization("shop", name="The Shop")
        built.create_organization("rival", name="The Rival")
        built.start()
        until(lambda: built.readiness() if built.readiness().ready else None)
        yield built


def submit(service: Service, name: str, **changes: object) -> Recorded | Pending:
    """Record a purchase under an idempotency key."""
    payload = purchase(name, **changes)
    log = service.log_of(service.organizations.find("shop").id, "purchases")
    parsed = PURCHASE.parse(payload, service.clock.now())
    return service.record(Submission(log.target, PURCHASE, parsed, IdempotencyKey(name)))


def record(service: Service, name: str, **changes: object) -> Recorded:
    """Record a purchase and get its receipt."""
    made = submit(service, name, **changes)
    assert isinstance(made, Recorded)
    return made
