"""The OpenAPI document: valid, complete, and true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from api.bodies import BODIES
from api.errors import STATUS_OF
from ledger_service.accounts.scopes import Scope
from ledger_service.clock import SystemClock
from ledger_service.errors import InvalidPayloadError
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind
    from tests.unit.api.conftest import Desk

# Public calls take a key as well, since some answer more with one.
SECURITY: tuple[list[dict[str, list[str]]], ...] = (
    [{}, {"apiKey": []}],
    [{"operatorToken": []}],
    *([{"apiKey": [scope.value]}] for scope in Scope),
)
STEERING = {"publish_digest", "supersedes", "purchase", "reason"}
EVERYWHERE_REFUSED = {400, 401, 429, 503}
# Of the HTTP server before the application.
TOO_LONG = 414
SUCCESS = {200, 201, 202, 204}
NOT_DESCRIBED = {"openapi.spec"}
# Pages are for people; programs have calls of their own.
PAGES = "pages"


@pytest.fixture(scope="module")
def document(resting: Desk) -> Any:
    """The document as it is served."""
    reply = resting.get("/openapi.json")
    assert reply.status_code == 200
    return json.loads(reply.data)


def test_the_document_is_valid(document: Any) -> None:
    """Somebody else's validator for OpenAPI 3.1 has nothing to say."""
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_has_every_route_and_no_other(document: Any, resting: Desk) -> None:
    """Each rule and method of the application stands in the document, under a name of its own."""
    served = {
        (re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in resting.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in NOT_DESCRIBED and not rule.endpoint.startswith(PAGES)
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == served
    names = [entry["operationId"] for methods in document["paths"].values() for entry in methods.values()]
    assert len(names) == len(set(names)) == len(served)


def test_every_operation_says_what_it_needs_and_gives(document: Any) -> None:
    """A summary, the key that it needs, and each status of its own: a defect, 500, is never promised."""
    described = set()
    for methods in document["paths"].values():
        for entry in methods.values():
            assert entry["summary"].endswith(".")
            statuses = {int(code) for code in entry["responses"]}
            assert EVERYWHERE_REFUSED <= statuses <= {*SUCCESS, *STATUS_OF.values(), TOO_LONG}
            described |= statuses
            assert entry["security"] in SECURITY
            assert not any(name.startswith("x-") for name in entry)
    assert described - SUCCESS - {TOO_LONG} == {*STATUS_OF.values()} - {405, 500}


def test_the_calls_of_the_design_are_there(document: Any) -> None:
    """The surface of design section 11."""
    wanted = {
        "/v1/orgs/{org}/purchases",
        "/v1/orgs/{org}/purchases/bulk",
        "/v1/orgs/{org}/refunds",
        "/v1/orgs/{org}/refunds/bulk",
        "/v1/orgs/{org}/completions",
        "/v1/orgs/{org}/completions/bulk",
        "/v1/orgs/{org}/datasets",
        "/v1/orgs/{org}/datasets/bulk",
        "/v1/orgs/{org}/records",
        "/v1/records/{record_id}",
        "/v1/records/{record_id}/receipt",
        "/v1/records/{record_id}/payload",
        "/v1/records/{record_id}/evidence",
        "/v1/records/{record_id}/status",
        "/v1/records/{record_id}/correction",
        "/v1/verify",
        "/v1/verify/report",
        "/v1/verify/vkey",
        "/v1/orgs/{org}/webhooks",
        "/v1/orgs/{org}/webhooks/{webhook}/deliveries",
        "/v1/logs",
        "/v1/logs/{org}/{collection}",
        "/v1/logs/{org}/{collection}/consistency",
        "/logs/{org}/{collection}/checkpoint",
        "/logs/{org}/{collection}/tile/{place}",
        "/logs/{org}/{collection}/vkeys",
        "/healthz",
        "/healthz/deep",
        "/metrics",
        "/readyz",
    }
    assert wanted <= document["paths"].keys()


CHANGES: dict[str, list[dict[str, object]]] = {
    "purchase/v1": [
        {"adjustment_minor": 0, "amount_minor": 4848},
        {"buyer": ""},
        {"buyer": "x" * 129},
        {"order_number": 7},
        {"channel": "Web"},
        {"channel": "w" * 33},
        {"currency": "usd"},
        {"currency": "XAU"},
        {"paid_at": "2026-11-20 14:03:07"},
        {"paid_at": 1},
        {"items": []},
        {"items": [{"sku": "a", "quantity": 0, "amount_minor": 4848}]},
        {"items": [{"sku": "a", "quantity": 1, "amount_minor": 4848, "colour": "red"}]},
        {"items": [{"sku": "a", "quantity": True, "amount_minor": 4848}]},
        {"items": "many"},
        {"amount_minor": -1},
        {"amount_minor": 4500.0},
        {"amount_minor": 2**53},
        {"adjustment_minor": "1"},
    ],
    "refund/v1": [
        {"purchase": "x"},
        {"purchase": "q1wFMcc0d1N4nU0dO5bYDB"},
        {"refund_number": ""},
        {"amount_minor": 0},
        {"currency": "XXX"},
        {"refunded_at": "yesterday"},
        {"reason": "because"},
        {"reason": 12},
    ],
    "completion/v1": [
        {"learner": ""},
        {"certificate_number": "x" * 65},
        {"course": 7},
        {"course_title": "t" * 257},
        {"result": "Pass"},
        {"score": -1},
        {"score_max": 0},
        {"score": True},
        {"completed_on": "2026-06-31 "},
        {"issued_at": "2026-07-14"},
        {"valid_until": 2031},
        {"workload_hours": 100_001},
    ],
    "dataset/v1": [
        {"dataset_number": ""},
        {"title": ""},
        {"file_sha256": "00" * 32},
        {"file_sha256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV"},
        {"file_sm3": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
        {"row_root": 5},
        {"size_bytes": -1},
        {"media_type": "csv"},
        {"media_type": "Text/CSV"},
        {"rows": 2**53},
        {"publish_digest": True},
        {"publish_digest": "yes"},
        {"supersedes": "q1wFMcc0d1N4nU0dO5bYDA"},
        {"supersedes": "q1"},
    ],
}
EVERYWHERE: list[dict[str, object]] = [{}, {"colour": "red"}]
VARIANTS = [
    (kind, {**kind.example, **change})
    for kind in KINDS.all()
    if kind.word is not None
    for change in EVERYWHERE + CHANGES[kind.name]
]


@pytest.mark.parametrize(("kind", "payload"), VARIANTS, ids=str)
def test_the_described_body_is_the_one_that_is_taken(kind: Kind, payload: dict[str, object]) -> None:
    """Shape and validator of each kind agree, apart from what two fields say together."""

    def is_taken() -> bool:
        try:
            kind.parse(payload, SystemClock().now())
        except InvalidPayloadError:
            return False
        return True

    def is_described() -> bool:
        try:
            BODIES[kind.name].model_validate(payload)
        except ValidationError:
            return False
        return True

    assert is_described() == is_taken()


@pytest.mark.parametrize("kind", [each for each in KINDS.all() if each.word is not None], ids=str)
def test_the_described_body_has_the_fields_of_the_kind(kind: Kind) -> None:
    """No field of the schema is missing in the document, and only what steers the writing is added."""
    assert set(BODIES[kind.name].model_fields) - STEERING == set(kind.schema.private)
