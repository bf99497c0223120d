"""Who may do what: every operation of the OpenAPI document by every key by whose things are named.

The operations are read from the document that the application serves, so a new route is asked like the others.
What is another's and what does not exist are compared answer by answer, and by the statements that the
request's thread sends to the database: equal work takes equal time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from structlog.testing import capture_logs

from api.app import create_app
from ledger_service.accounts.scopes import Scope
from ledger_service.wiring import build
from ledger_service.wiring.installation import install
from tests.support.authorization_matrix import (
    METHODS,
    Answer,
    Operation,
    UnknownOperationError,
    ask,
    blur,
    read_operations,
)
from tests.support.declared_answers import watch_answers
from tests.support.http_ledger import until
from tests.support.two_organizations import NOBODY, Holdings, Key, Tenant, found, look, unlimited
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from ledger_service.wiring import Service

# WeasyPrint leaves the file of its colour profile to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*sRGB2014:pytest.PytestUnraisableExceptionWarning")

SLUGS: Final = ("shop", "rival")


class World:
    """One service that signs, with two organizations, and the operations of the document that it serves."""

    def __init__(self, service: Service) -> None:
        """Found both."""
        self.service = service
        app = create_app(service)
        self.undeclared = watch_answers(app)
        self.client = app.test_client()
        self.tenants = {slug: found(service, self.client, slug) for slug in SLUGS}
        self.document: Any = json.loads(self.client.get("/openapi.json").data)
        self.operations = read_operations(self.document)

    def sides(self) -> Iterator[tuple[Operation, Tenant, Tenant]]:
        """Every operation as each organization sees it, with the other one."""
        for operation in self.operations:
            for slug, other in (SLUGS, SLUGS[::-1]):
                yield operation, self.tenants[slug], self.tenants[other]

    def ask(
        self,
        operation: Operation,
        places: Mapping[str, str],
        sides: tuple[Tenant, Tenant],
        *,
        authorization: str | None,
        method: str | None = None,
    ) -> Answer:
        """Call an operation as the first of the `sides`, naming things as `places` says."""
        holders: Mapping[str, Holdings] = {"own": sides[0].has, "other": sides[1].has, "missing": NOBODY}
        whose = {name: holders[whose] for name, whose in places.items()}
        key = f"matrix {operation.name}".replace(" ", "-")
        return ask(self.client, operation, whose, authorization=authorization, key=key, method=method)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of this test's own."""
    # So many bad keys from one address are otherwise not looked at any more.
    # A lease that lapsed while the machine was busy elsewhere would be taken again, and that is a change.
    settings = settings_in(
        tmp_path_factory.mktemp("world"), SEAL_WORKERS="0", LEASE_S="60", SEQUENCE_BOUND_S="60", **unlimited()
    )
    install(settings)
    # Thousands of lines on the screen would take longer than what they tell of.
    with capture_logs(), build(settings) as service:
        service.start()
        until(lambda: service.readiness() if service.readiness().ready else None)
        made = World(service)
        yield made
        assert made.undeclared == []


def judge(operation: Operation, key: Key, places: Mapping[str, str]) -> tuple[Hashable, int | None]:
    """What the answer must be the same as, and its status; None where the answer says what is one's own.

    Of another organization nothing is told, not even that a scope is missing.
    """
    strange = [name for name, whose in places.items() if whose != "own"]
    if "org" in operation.in_path and "org" in strange:
        return "outside", 404
    if operation.scope not in key.scopes:
        return "scope missing", 403
    return blur(places), 404 if operation.in_path & {*strange} else None


def methods_of(operation: Operation) -> tuple[str, ...]:
    """The methods that run an operation."""
    return ("GET", "HEAD") if operation.method == "GET" else (operation.method,)


def test_nobody_reaches_into_another_organization(world: World) -> None:
    """Whatever is another's is answered as if it did not exist, whoever asks for it, and nothing is recorded.

    Without a good key the answer is always the same, and a missing scope is told in one's own organization only.
    """
    for operation, own, other in world.sides():
        if operation.scope is None:
            continue
        before = look(world.service)
        for method in methods_of(operation):
            seen: dict[Hashable, Answer] = {}
            for places in operation.places():
                cells: list[tuple[str, Hashable, int | None, str | None]] = [
                    (name, "refused", 401, text) for name, text in own.refused.items()
                ]
                for key in own.keys.values():
                    same_as, status = judge(operation, key, places)
                    if {*places.values()} == {"own"} and same_as != "scope missing":
                        continue
                    cells.append((key.name, same_as, status, f"Bearer {key.text}"))
                for name, same_as, status, authorization in cells:
                    cell = f"{operation.name}: {method} with {name}, {places}"
                    answer = world.ask(
                        operation, places, (own, other), authorization=authorization, method=method
                    )
                    first = seen.setdefault(same_as, answer)
                    assert status is None or answer.status == status, cell
                    assert answer == first, cell
                    assert answer.statements == first.statements, cell
        assert look(world.service) == before, f"{operation.name} recorded something that it refused"


def test_public_answers_do_not_depend_on_the_caller(world: World) -> None:
    """What anyone may have is the same with any key, without one and, unless it is refused, with a bad one."""
    for operation, own, other in world.sides():
        if operation.scope is not None:
            continue
        before = look(world.service)
        for places in operation.places():
            public = world.ask(operation, places, (own, other), authorization=None)
            # No operator's token is configured here, so what is the operator's is nobody's.
            missing = "missing" in places.values() or operation.operator
            assert public.status in ({404} if missing else {200, 503}), f"{operation.name}: {places}"
            good = [f"Bearer {own.keys[name].text}" for name in ("all scopes", f"only {Scope.RECORDS_READ}")]
            for authorization in (*good, *own.refused.values()):
                answer = world.ask(operation, places, (own, other), authorization=authorization)
                cell = f"{operation.name}: {authorization}, {places}"
                if answer.status == 401 and authorization not in good:
                    continue
                # A path that names nothing of anybody's may tell of the moment: health, figures, a verdict. So does
                # paper, which has a verdict on it.
                same = operation.in_path and ("Content-Type", "application/pdf") not in public.headers
                assert answer == public if same else answer.status == public.status, cell
        assert look(world.service) == before, operation.name


def test_undeclared_methods_do_nothing(world: World) -> None:
    """A method that the document does not have for a path is refused, with the best key too."""
    declared: dict[str, set[str]] = {}
    for each in world.operations:
        declared.setdefault(each.path, set()).update(methods_of(each))
    before = look(world.service)
    for operation, own, other in world.sides():
        for method in METHODS:
            if method in declared[operation.path]:
                continue
            for authorization in (None, f"Bearer {own.keys['all scopes'].text}"):
                answer = world.ask(
                    operation,
                    dict.fromkeys(operation.owned, "own"),
                    (own, other),
                    authorization=authorization,
                    method=method,
                )
                assert answer.status == 405, f"{method} {operation.path}"
                assert {*dict(answer.headers)["Allow"].split(", ")} == declared[operation.path]
    assert look(world.service) == before


def test_one_scope_is_enough_for_ones_own(world: World) -> None:
    """Each call is taken with a key of just its scope, both organizations' under the same idempotency keys.

    So the calls of the other tests are refused for their caller alone. No answer tells of the other organization.
    """
    # What is removed is needed by the others, and read before it is changed.
    order = sorted(world.sides(), key=lambda side: ("GET", "POST", "DELETE").index(side[0].method))
    for operation, own, other in order:
        if operation.scope is None:
            continue
        key = own.keys[f"only {operation.scope}"]
        places = dict.fromkeys(operation.owned, "own")
        answer = world.ask(operation, places, (own, other), authorization=f"Bearer {key.text}")
        statuses = [answer.status]
        if operation.media == "application/x-ndjson":
            statuses = [json.loads(line)["status"] for line in answer.body.splitlines()]
        assert statuses[0] in {200, 201, 204}, f"{operation.name}: {answer.status} {answer.body!r}"
        assert len(statuses) == 1, operation.name
        told = [mark for mark in other.has.marks() if mark.encode() in answer.body]
        assert told == [], f"{operation.name} tells {own.has.org} of {other.has.org}"


def test_the_matrix_has_every_operation(world: World) -> None:
    """Each method of each path is asked, and one that nobody has said how to ask is named."""
    described = {
        (path, method.upper()) for path, methods in world.document["paths"].items() for method in methods
    }
    assert {(each.path, each.method) for each in world.operations} == described
    entry = {
        "operationId": "new",
        "parameters": [],
        "security": [{}],
        "requestBody": {"content": {"a/b": {}}},
    }
    with pytest.raises(UnknownOperationError, match=r"new \(post /v1/new\)"):
        read_operations({"paths": {"/v1/new": {"post": entry}}})
    owned = {"name": "thing", "required": True, "in": "path"}
    entry = {"operationId": "new", "parameters": [owned], "security": [{}]}
    with pytest.raises(UnknownOperationError, match="whose is thing"):
        read_operations({"paths": {"/v1/new/{thing}": {"get": entry}}})
