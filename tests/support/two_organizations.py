"""Two organizations of one service, with a record of every kind, a webhook and keys of all scopes each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from ledger_service.accounts.scopes import Scope
from ledger_service.config import Settings
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.storage.metadata import metadata
from tests.support.http_ledger import purchase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask.testing import FlaskClient

    from ledger_service.wiring import Service

# What the service writes on its own while nobody asks for anything.
_BACKGROUND: Final = frozenset({"sequencer_lease", "chain_alarms"})


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an organization has: records by their ids, an endpoint, a customer, an order number.

    `wrong` is a purchase to correct, `newer` a second data set, and `erasable` the customer of a purchase that
    nothing else needs.
    """

    org: str
    purchase: str
    wrong: str
    completion: str
    dataset: str
    newer: str
    webhook: str
    erasable: str
    number: str

    def marks(self) -> tuple[str, ...]:
        """What tells of this organization and what it has."""
        return astuple(self)


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it may do."""

    name: str
    text: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization, its good keys by their names, and Authorization headers of it that are no good."""

    has: Holdings
    keys: Mapping[str, Key]
    refused: Mapping[str, str | None]


NOBODY: Final = Holdings(
    org="nobody",
    purchase="q1wFMcc0d1N4nU0dO5bYDA",
    wrong="q1wFMcc0d1N4nU0dO5bYDQ",
    completion="q1wFMcc0d1N4nU0dO5bYDg",
    dataset="q1wFMcc0d1N4nU0dO5bYDw",
    newer="q1wFMcc0d1N4nU0dO5bYCA",
    webhook="whe_0123456789abcdef01234567",
    erasable="person-of-nobody",
    number="order-of-nobody",
)
"""Well-formed names of nothing."""


def unlimited() -> dict[str, str]:
    """Settings under which no limit on requests is met: their names without AUDIT_LEDGER_."""
    return {each.name.upper(): "1000000" for each in fields(Settings) if each.name.startswith("limit_")}


def found(service: Service, client: FlaskClient, slug: str) -> Tenant:
    """Make the organization, its keys and its holdings."""
    service.create_organization(slug, name=f"The {slug}")
    scopes = {"all scopes": set(Scope)}
    scopes |= {f"only {each}": {each} for each in Scope}
    scopes |= {f"all but {each}": {*Scope} - {each} for each in Scope}
    keys = {name: Key(name, _issue(service, slug, of), frozenset(of)) for name, of in scopes.items()}
    return Tenant(_record(client, slug, keys["all scopes"].text), keys, _refused(service, slug, keys))


def look(service: Service, *, tables: Iterable[str] = metadata.tables) -> dict[str, tuple[int, str]]:
    """The number of rows of every table and a digest of what they hold, but for the service's own errands."""
    state = {}
    with service.database.read() as conn:
        for name in sorted(set(tables) - _BACKGROUND):
            rows = sorted(repr(tuple(row)) for row in conn.execute(select(metadata.tables[name])))
            state[name] = len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return state


def _issue(service: Service, slug: str, scopes: Iterable[Scope]) -> str:
    return service.api_keys.issue(service.organizations.find(slug), scopes=scopes, label="matrix")


def _refused(service: Service, slug: str, keys: Mapping[str, Key]) -> dict[str, str | None]:
    good = keys["all scopes"].text
    revoked = _issue(service, slug, Scope)
    service.api_keys.revoke(revoked.split("_")[1])
    past = service.clock.now() - timedelta(hours=1)
    org = service.organizations.find(slug)
    expired = service.api_keys.issue(org, scopes=Scope, label="matrix", expires=past)
    other = keys[f"only {Scope.RECORDS_READ}"].text
    return {
        "no key": None,
        "nonsense": "Bearer nonsense",
        "no scheme": good,
        "another scheme": f"Basic {good}",
        "unknown key": "Bearer alk_0123456789abcdef_" + "A" * 43,
        "another key's secret": f"Bearer {good[:20]}{other[20:]}",
        "revoked key": f"Bearer {revoked}",
        "expired key": f"Bearer {expired}",
    }


def _record(client: FlaskClient, slug: str, key: str) -> Holdings:
    def post(path: str, payload: Mapping[str, object]) -> Any:
        reply = client.post(
            f"/v1/orgs/{slug}/{path}",
            data=json.dumps(payload),
            headers={
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": hashlib.sha256(repr(payload).encode()).hexdigest(),
            },
            content_type="application/json",
        )
        assert reply.status_code == 201, reply.data
        return reply.headers.get("Record-Id") or json.loads(reply.data)["id"]

    number, person = f"order-of-{slug}", f"person-of-{slug}"
    return Holdings(
        org=slug,
        purchase=post("purchases", purchase(number, buyer=f"customer-of-{slug}")),
        wrong=post("purchases", purchase("wrong", buyer=f"customer-of-{slug}")),
        completion=post("completions", EXAMPLE_COMPLETION),
        dataset=post("datasets", EXAMPLE_DATASET),
        newer=post("datasets", {**EXAMPLE_DATASET, "title": "Newer"}),
        webhook=post("webhooks", {"url": f"https://hooks-of-{slug}.example.com/"}),
        erasable=(post("purchases", purchase("erasable", buyer=person)), person)[1],
        number=number,
    )
