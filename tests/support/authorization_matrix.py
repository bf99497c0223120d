"""Every operation of the OpenAPI document by every key by whose things are named, and what must come of it.

An operation is known by the document alone. Whoever adds one with a parameter or a body that is not known
here is told which, so no route stays outside.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine

from ledger_service.accounts.scopes import Scope
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.marketplace.refunds import EXAMPLE_REFUND
from tests.support.two_organizations import NOBODY, Holdings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask.testing import FlaskClient

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PURGE")
BODY: Final = "body"

# Parameters that name something which somebody owns: what an operation is told of a holder.
_OWNED: Final[Mapping[str, Callable[[Holdings], str]]] = {
    "org": lambda has: has.org,
    "record_id": lambda has: has.purchase,
    "webhook": lambda has: has.webhook,
    "subject": lambda has: has.erasable,
    "cursor": lambda has: has.purchase,
    "ref": lambda has: has.number,
}
_RECORD_OF: Final[Mapping[str, Callable[[Holdings], str]]] = {
    "changeStatus": lambda has: has.completion,
    "correctRecord": lambda has: has.wrong,
}
# Parameters that name nothing of anybody.
_PLAIN: Final[Mapping[str, str]] = {
    "collection": "purchases",
    "place": "0/000.p/1",
    "from": "1",
    "to": "1",
}
# Optional parameters that name something, and those with which a public call needs a key.
_OPTIONAL: Final = frozenset({"cursor", "ref"})
_KEYED: Final[Mapping[str, tuple[str, Scope]]] = {"fields": ("all", Scope.RECORDS_READ)}
# Bodies that name a record.
_POINTING: Final[Mapping[str, Callable[[Holdings], object]]] = {
    "recordRefund": lambda has: {**EXAMPLE_REFUND, "purchase": has.purchase, "amount_minor": 1},
    "recordRefunds": lambda has: {**EXAMPLE_REFUND, "purchase": has.purchase, "amount_minor": 2},
    "recordDataset": lambda has: {**EXAMPLE_DATASET, "title": "Later", "supersedes": has.dataset},
    "recordDatasets": lambda has: {**EXAMPLE_DATASET, "title": "Other", "supersedes": has.newer},
    "verify": lambda has: {"record": has.purchase},
}
_BODIES: Final[Mapping[str, object]] = {
    "recordPurchase": EXAMPLE_PURCHASE,
    "recordPurchases": EXAMPLE_PURCHASE,
    "recordCompletion": EXAMPLE_COMPLETION,
    "recordCompletions": EXAMPLE_COMPLETION,
    "changeStatus": {"state": "suspended", "reason": "issuer_decision"},
    "correctRecord": {"reason": "entered_in_error", "replacement": EXAMPLE_PURCHASE},
    "verificationReport": {"v": "audit-ledger/evidence/v1"},
    "eraseSubject": {"reason": "subject_request"},
    "registerWebhook": {"url": "https://hooks.example.com/more"},
}
# What two answers may differ in without telling anything.
_OF_THE_MOMENT: Final = frozenset({"x-request-id", "date"})
# Remembered for seconds in the process, so asked now and then, for whatever request comes.
_REMEMBERED: Final = re.compile(r"FROM api_keys|logs\.collection = ")


class UnknownOperationError(AssertionError):
    """The document has something that the matrix cannot ask for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody can tell an answer by, and the statements that the request's thread sent to the database."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    statements: tuple[str, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `query` are parameters that it is asked with, `owned` those that name things."""

    name: str
    method: str
    path: str
    scope: Scope | None
    owned: tuple[str, ...]
    query: Mapping[str, str]
    media: str | None
    idempotent: bool
    operator: bool = False

    def __str__(self) -> str:
        """The name, for test ids."""
        return self.name

    @property
    def in_path(self) -> frozenset[str]:
        """Things that the path names."""
        return frozenset(each for each in self.owned if f"{{{each}}}" in self.path)

    def places(self) -> list[dict[str, str]]:
        """Every way to name one's own things, another's and nobody's."""
        whose = ("own", "other", "missing")
        return [dict(zip(self.owned, each, strict=True)) for each in product(whose, repeat=len(self.owned))]


def blur(places: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The same places as whoever is told nothing of others sees them."""
    return tuple((name, "missing" if whose == "other" else whose) for name, whose in places.items())


def read_operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation, and again with each optional parameter that names something or needs a key."""
    found = []
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            plain = _read(path, method, entry)
            found.append(plain)
            for each in (e["name"] for e in entry["parameters"] if not e["required"]):
                if each in _OPTIONAL:
                    owned = (*plain.owned, each)
                    found.append(replace(plain, name=f"{plain.name}?{each}", owned=owned))
                if each in _KEYED:
                    text, scope = _KEYED[each]
                    query = {**plain.query, each: text}
                    found.append(replace(plain, name=f"{plain.name}?{each}", query=query, scope=scope))
    return found


def _read(path: str, method: str, entry: Mapping[str, Any]) -> Operation:
    name = entry["operationId"]
    required = [each["name"] for each in entry["parameters"] if each["required"] and each["in"] != "header"]
    if unknown := [each for each in required if each not in _OWNED and each not in _PLAIN]:
        raise UnknownOperationError(f"{name} ({method} {path}): whose is {', '.join(unknown)}?")
    media = next(iter(entry.get("requestBody", {}).get("content", {})), None)
    if media is not None and name not in _POINTING and name not in _BODIES:
        raise UnknownOperationError(f"{name} ({method} {path}): what is a body that is taken?")
    scopes = [scope for each in entry["security"] for scope in each.get("apiKey", ())]
    assert len(scopes) <= 1, name
    owned = tuple(each for each in required if each in _OWNED)
    return Operation(
        name=name,
        method=method.upper(),
        path=path,
        scope=Scope(scopes[0]) if scopes else None,
        operator=any("operatorToken" in each for each in entry["security"]),
        owned=(*owned, BODY) if name in _POINTING else owned,
        query={each: _PLAIN[each] for each in required if each in _PLAIN and f"{{{each}}}" not in path},
        media=media,
        idempotent=any(each["name"] == "Idempotency-Key" for each in entry["parameters"]),
    )


def ask(
    client: FlaskClient,
    operation: Operation,
    whose: Mapping[str, Holdings],
    *,
    authorization: str | None,
    key: str,
    method: str | None = None,
) -> Answer:
    """Call an operation; `whose` says for each thing that it names whose that is. `key` makes it idempotent."""
    values = {name: _value(operation, name, has) for name, has in whose.items() if name != BODY}
    path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1]) or _PLAIN[found[1]], operation.path)
    headers = {"Idempotency-Key": key} if operation.idempotent else {}
    if authorization is not None:
        headers["Authorization"] = authorization
    asked = {name: value for name, value in values.items() if name not in operation.in_path}
    with heard_statements() as statements:
        reply = client.open(
            path,
            method=method or operation.method,
            query_string={**operation.query, **asked},
            data=_body(operation, whose.get(BODY, NOBODY)),
            content_type=operation.media,
            headers=headers,
        )
        body = reply.get_data()
    told = tuple(sorted((n, v) for n, v in reply.headers.items() if n.lower() not in _OF_THE_MOMENT))
    return Answer(reply.status_code, told, body, tuple(statements))


def _value(operation: Operation, name: str, has: Holdings) -> str:
    known = _RECORD_OF.get(operation.name) if name == "record_id" else None
    return (known or _OWNED[name])(has)


def _body(operation: Operation, has: Holdings) -> bytes | None:
    if operation.media is None:
        return None
    made = _POINTING.get(operation.name)
    return json.dumps(_BODIES[operation.name] if made is None else made(has)).encode()


@contextmanager
def heard_statements() -> Iterator[list[str]]:
    """The statements that this thread sends to a database meanwhile."""
    heard: list[str] = []
    here = threading.get_ident()

    def listen(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.get_ident() == here and not _REMEMBERED.search(statement):
            heard.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
