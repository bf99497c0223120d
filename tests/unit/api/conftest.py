"""The application on a service of this test's own, with or without signing."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from ledger_service.accounts.scopes import Scope
from ledger_service.config import Settings, load_settings
from ledger_service.wiring import Service, build
from ledger_service.wiring.installation import install
from tests.support.declared_answers import watch_answers
from tests.support.http_ledger import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse


def settings_in(folder: Path, **changes: str) -> Settings:
    """Settings of an installation in `folder` whose chain's address leads nowhere."""
    payer = folder / "payer.key"
    handle = os.open(payer, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(handle, b"11" * 32)
    os.close(handle)
    return load_settings(
        {
            "AUDIT_LEDGER_DATA_DIR": str(folder / "data"),
            "AUDIT_LEDGER_ORIGIN_HOST": "ledger.test",
            "AUDIT_LEDGER_CHAIN_URL": "http://127.0.0.1:9",
            "AUDIT_LEDGER_CHAIN_PRIVATE_KEY_FILE": str(payer),
            **{f"AUDIT_LEDGER_{name}": value for name, value in changes.items()},
        }
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """An application, a client of it, and the key of the organization `shop`.

    `undeclared` are answers that the application's own document does not have.
    """

    service: Service
    client: FlaskClient
    key: str
    undeclared: list[str]

    def get(self, path: str, *, key: str | None = None) -> TestResponse:
        """A GET, with a key if one is given."""
        return self.client.get(path, headers={"Authorization": f"Bearer {key}"} if key else {})

    def record(self, payload: Mapping[str, object], *, name: str, word: str = "purchases") -> TestResponse:
        """Record a purchase, or what `word` names."""
        return self.post(f"/v1/orgs/shop/{word}", payload, name=name)

    def post(self, path: str, payload: Mapping[str, object], *, name: str) -> TestResponse:
        """Write with the organization's key."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": name}
        return self.client.post(
            path,
            data=json.dumps(payload),
            headers=headers,
            content_type="application/json",
        )


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A service that was built and not started: it reads and does not write."""
    with resting_desk(tmp_path_factory.mktemp("resting")) as found:
        yield found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A service that signs; its chain never answers."""
    with signing_desk(tmp_path_factory.mktemp("desk")) as found:
        yield found


@contextmanager
def resting_desk(folder: Path, **changes: str) -> Iterator[Desk]:
    """A service in `folder` that was built and not started, with these settings."""
    settings = settings_in(folder, **changes)
    install(settings)
    with build(settings) as service:
        found = _desk(service)
        yield found
        assert found.undeclared == []


@contextmanager
def signing_desk(folder: Path, **changes: str) -> Iterator[Desk]:
    """A service in `folder` that signs, with these settings; its chain never answers."""
    settings = settings_in(folder, **changes)
    install(settings)
    with build(settings) as service:
        found = _desk(service)
        service.start()
        until(lambda: service.readiness() if service.readiness().ready else None)
        yield found
        assert found.undeclared == []


def _desk(service: Service) -> Desk:
    service.create_organization("shop", name="The Shop")
    key = service.api_keys.issue(service.organizations.find("shop"), scopes=set(Scope), label="test")
    app = create_app(service)
    undeclared = watch_answers(app)
    return Desk(service, app.test_client(), key, undeclared)


def body_of(reply: TestResponse) -> Any:
    """The JSON of an answer."""
    return json.loads(reply.data)


def problem_of(reply: TestResponse) -> Any:
    """The problem document of an answer."""
    assert reply.content_type == "application/problem+json"
    return body_of(reply)
