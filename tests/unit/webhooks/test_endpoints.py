"""Endpoints: registered with a secret that is shown once, listed without it, removed with all they were owed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.accounts.organizations import Organizations
from ledger_service.accounts.tables import account_events
from ledger_service.errors import NotFoundError, WebhookExistsError, WebhookLimitError, WebhookUrlError
from ledger_service.webhooks.endpoints import MOST_ENDPOINTS
from ledger_service.webhooks.tables import webhook_endpoints

if TYPE_CHECKING:
    from tests.unit.webhooks.conftest import Desk

URL = "https://hooks.example.com/ledger"


def test_the_secret_is_shown_once_and_kept_sealed(desk: Desk) -> None:
    """32 random bytes in the form of the specification; no stored byte and no representation holds them."""
    made = desk.endpoints.register(desk.org, URL)
    secret = base64.b64decode(made.secret.removeprefix("whsec_"))
    assert (made.secret.startswith("whsec_"), len(secret)) == (True, 32)
    assert made.secret not in repr(made)
    with desk.ledger.database.read() as conn:
        row = conn.execute(select(webhook_endpoints)).one()
        assert all(secret not in value for value in row if isinstance(value, bytes))
        assert desk.endpoints.secret_of(conn, row) == secret
    assert desk.endpoints.all(desk.org) == (made.endpoint,)


def test_a_url_is_registered_once_and_only_so_many(desk: Desk) -> None:
    """A second endpoint of the URL is refused, and so is one more than the limit."""
    desk.endpoints.register(desk.org, URL)
    with pytest.raises(WebhookExistsError):
        desk.endpoints.register(desk.org, URL)
    for number in range(1, MOST_ENDPOINTS):
        desk.endpoints.register(desk.org, f"{URL}/{number}")
    with pytest.raises(WebhookLimitError):
        desk.endpoints.register(desk.org, f"{URL}/more")
    with pytest.raises(WebhookUrlError):
        desk.endpoints.register(desk.org, "https://127.0.0.1/")


def test_another_organization_sees_and_removes_nothing(desk: Desk) -> None:
    """What is not one's own is not there; every change is noted."""
    made = desk.endpoints.register(desk.org, URL)
    rival = Organizations(desk.ledger.database, clock=desk.clock).create("rival", name="The Rival")
    assert desk.endpoints.all(rival) == ()
    for refused in (desk.endpoints.deliveries, desk.endpoints.remove):
        with pytest.raises(NotFoundError):
            refused(rival, made.endpoint.name)
    desk.endpoints.remove(desk.org, made.endpoint.name)
    assert desk.endpoints.all(desk.org) == ()
    with pytest.raises(NotFoundError):
        desk.endpoints.deliveries(desk.org, made.endpoint.name)
    with desk.ledger.database.read() as conn:
        noted = conn.execute(select(account_events.c.action).order_by(account_events.c.id)).scalars().all()
    assert [each for each in noted if "webhook" in each] == ["webhook registered", "webhook removed"]
