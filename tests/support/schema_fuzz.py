"""Requests made from the OpenAPI document of a running service by schemathesis, and every answer held to it.

Schemathesis makes the cases: those that cover each keyword of each schema, then random ones, right and wrong.
Here they are told of things that exist, so that they come further than to 404, and get keys of all kinds.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemathesis import Case as AnyCase
    from schemathesis.core.errors import InvalidSchema
    from schemathesis.core.result import Err
    from schemathesis.core.transport import Response
    from schemathesis.schemas import APIOperation

    Case: TypeAlias = AnyCase[Any]
    Operation: TypeAlias = APIOperation[Any, Any, Any, Any]

SLOW_S: Final = 2.0
_PATIENCE_S: Final = 120.0
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
_ROUND: Final = 25
_MODES: Final = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
# How often a random case is meant to be right, names what exists, or comes with the key of all scopes.
_RIGHT: Final = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
_MOSTLY: Final = 0.9
_CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
# What is wrong in a stream is said row by row, and what is no evidence gets a verdict: both take any bytes.
_TAKING_CHECKS: Final = [each for each in _CHECKS if each is not checks.negative_data_rejection]
# Statuses by which a wrong request is refused; the document says which of them an operation has.
_REFUSED: Final = ["400", "401", "403", "404", "405", "409", "410", "413", "414", "415", "422", "429", "503"]
# Fields whose values depend on each other or on the clock: a random one is refused before anything is done.
_PAYLOADS: Final = (EXAMPLE_PURCHASE, EXAMPLE_COMPLETION, EXAMPLE_DATASET)
_NOW: Final = "2026-11-20T10:00:00Z"
_TIMES: Final = frozenset({"paid_at", "refunded_at", "issued_at", "valid_until"})


@schemathesis.serializer(NDJSON, CSV)
def _write_text(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@dataclass(slots=True)
class Tally:
    """What was asked and what came back. `findings` are broken promises with the number of their cases."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)
    undeclared: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slow: int = 0

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(each.total() for each in self.statuses.values())

    def count(self, label: str, status: int, took_s: float) -> None:
        """Note one answer."""
        self.statuses.setdefault(label, Counter())[status] += 1
        self.slowest_s = max(self.slowest_s, took_s)
        self.slow += took_s > SLOW_S


@dataclass(slots=True)
class Known:
    """Things that exist, by the names of parameters and fields that name them; answers add more."""

    values: dict[str, list[str]]
    keys: Sequence[str]
    evidence: list[dict[str, Any]] = field(default_factory=list)

    def pick(self, name: str, rng: Random) -> str | None:
        """One of them."""
        found = self.values.get(name)
        return rng.choice(found) if found else None

    def learn(self, response: Response) -> None:
        """Remember what an answer made or showed."""
        record = response.headers.get("record-id")
        if record is not None and response.status_code == 201:
            self.values["record_id"].append(record[0])
        if response.status_code == 201 and b'"whsec_' in response.content:
            self.values["webhook"].append(json.loads(response.content)["id"])


class Fuzzer:
    """Asks one service."""

    def __init__(self, document: Mapping[str, Any], *, url: str, known: Known, seed: int) -> None:
        """Read the operations of `document`, which the service at `url` serves."""
        self.tally = Tally()
        self._url = url
        self._known = known
        self._seed = seed
        self._session = requests.Session()
        self._rng = Random(seed)
        self._schema = schemathesis.openapi.from_dict(_without_keys(document))
        self._schema.config.checks.negative_data_rejection.expected_statuses = _REFUSED
        self._schema.config.checks.missing_required_header.expected_statuses = _REFUSED
        self._operations = [_read(each) for each in self._schema.get_all_operations()]
        schemas = document["components"]
        self._line = Draft202012Validator({"$ref": "#/components/schemas/BulkLine", "components": schemas})

    def run(self, *, least: int) -> Tally:
        """Cover the document with at most half of `least` requests, then ask at random until there were so many."""
        for operation in self._operations:
            self._cover(operation, most=least // 2 // len(self._operations) // _seldom(operation))
        for number, operation in enumerate(cycle(self._operations)):
            if self.tally.requests >= least:
                return self.tally
            if number // len(self._operations) % _seldom(operation):
                continue
            self._draw(operation, seed_=self._seed + number, most=least - self.tally.requests)
        raise AssertionError("the document has no operation")

    def _cover(self, operation: Operation, *, most: int) -> None:
        config = self._schema.config.generation_for(operation=operation)
        cases = [
            *self._schema.iter_coverage_cases(operation, generation_modes=_MODES, generation_config=config)
        ]
        for case in self._rng.sample(cases, min(most, len(cases))):
            self._direct(case, self._rng, containers=(case.path_parameters,))
            self._ask(case, key=self._known.keys[0])

    def _draw(self, operation: Operation, *, seed_: int, most: int) -> None:
        """Ask an operation at random; one without anything to vary is asked just once."""
        bodies = self._bodies(operation)

        @seed(seed_)
        @settings(
            max_examples=min(_ROUND, most),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of([operation.as_strategy(mode) for mode in _RIGHT]), bodies, st.integers(0, 2**32))
        def ask(case: Case, rows: list[Any], number: int) -> None:
            rng = Random(number)
            # What a wrong query was made of stays in it: of a mended one nothing wrong may be left.
            wrong = case.meta is not None and case.meta.generation.mode.is_negative
            self._direct(case, rng, containers=(case.path_parameters, {} if wrong else case.query))
            if case.media_type in {NDJSON, CSV} and rng.random() < _MOSTLY:
                case.body = _format_rows([self._mend(row, rng) for row in rows], case.media_type, rng)
            elif isinstance(case.body, dict):
                case.body = self._mend(case.body, rng)
            self._ask(
                case, key=self._known.keys[0] if rng.random() < _MOSTLY else rng.choice(self._known.keys)
            )

        ask()

    def _bodies(self, operation: Operation) -> st.SearchStrategy[list[Any]]:
        """Rows for a stream, made as bodies of single writes are; nothing for any other operation."""
        path, _, bulk = operation.path.rpartition("/")
        if bulk != "bulk":
            return st.just([])
        single = self._schema[path]["POST"]
        rows = st.one_of([single.as_strategy(mode) for mode in _RIGHT]).map(lambda case: case.body)
        return st.lists(rows, max_size=4)

    def _direct(self, case: Case, rng: Random, *, containers: Sequence[dict[str, Any]]) -> None:
        """Let most parameters name something that exists."""
        operation = case.operation.definition.raw["operationId"]
        for container in containers:
            for name in [*container]:
                value = self._known.pick(f"{operation}.{name}", rng) or self._known.pick(name, rng)
                if value is not None and rng.random() < _MOSTLY:
                    container[name] = value

    def _mend(self, body: Any, rng: Random) -> Any:
        """The same body, mostly with references that lead somewhere, real times and sums that add up."""
        if not isinstance(body, dict) or rng.random() > _MOSTLY:
            return body
        if "v" in body and self._known.evidence:
            whole = rng.choice(self._known.evidence)
            return (
                {**whole, rng.choice([*whole]): rng.choice([*body.values()])}
                if rng.random() < _MOSTLY
                else whole
            )
        mended = dict(body)
        for name in ("purchase", "supersedes", "record"):
            if mended.get(name) is not None:
                mended[name] = self._known.pick("record_id", rng)
        mended |= dict.fromkeys(_TIMES & mended.keys(), _NOW)
        if "url" in mended:
            mended["url"] = f"http://localhost:9/{rng.getrandbits(32)}"
        if isinstance(mended.get("replacement"), dict):
            mended["replacement"] = rng.choice(_PAYLOADS)
        return _add_up(mended)

    def _ask(self, case: Case, *, key: str) -> None:
        label = case.operation.label
        headers = {"Authorization": f"Bearer {key}"} if key else None
        try:
            response, took_s = self._call(case, headers)
            if took_s > SLOW_S and case.method == "GET":
                # The machine may have done something else meanwhile. What only reads can be asked again.
                response, took_s = self._call(case, headers)
        except requests.RequestException as error:
            # Counted like an answer, so that a run against a dead service ends.
            self.tally.count(label, 0, 0.0)
            self.tally.findings[f"{label}: no answer: {type(error).__name__}"] += 1
            return
        self.tally.count(label, response.status_code, took_s)
        self._known.learn(response)
        if (
            response.status_code >= 500
            and str(response.status_code) not in case.operation.responses.status_codes
        ):
            self.tally.undeclared[f"{label}: {response.status_code}"] += 1
        try:
            takes_all = case.media_type in {NDJSON, CSV} or case.path.startswith("/v1/verify")
            case.validate_response(response, checks=_TAKING_CHECKS if takes_all else _CHECKS)
            self._check_lines(response)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.tally.findings[
                    f"{label}: {failure.title}: {' '.join(failure.message.split())[:300]}"
                    f" {str(response.request.url)[-300:]}"
                ] += 1
        except AssertionError as error:
            self.tally.findings[f"{label}: {error}"] += 1

    def _call(self, case: Case, headers: dict[str, str] | None) -> tuple[Response, float]:
        began = time.monotonic()
        response = case.call(base_url=self._url, session=self._session, headers=headers, timeout=_PATIENCE_S)
        return response, time.monotonic() - began

    def _check_lines(self, response: Response) -> None:
        """Each line of a stream of results is what the document says of one."""
        if not (response.headers.get("content-type") or [""])[0].startswith(NDJSON):
            return
        for line in response.content.splitlines():
            for error in self._line.iter_errors(json.loads(line)):
                raise AssertionError(f"a line of results: {error.message}")


def _read(found: Ok[Operation] | Err[InvalidSchema]) -> Operation:
    if isinstance(found, Ok):
        return found.ok()
    raise found.err()


def _seldom(operation: Operation) -> int:
    """Every how manieth time an operation is asked: a paper takes half a second of a core."""
    return 5 if operation.path.endswith("/paper") else 1


def _without_keys(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document for calls whose keys are chosen here."""
    paths = {
        path: {method: {**entry, "security": []} for method, entry in methods.items()}
        for path, methods in document["paths"].items()
    }
    components = {name: each for name, each in document["components"].items() if name != "securitySchemes"}
    return {**document, "paths": paths, "components": components}


def _add_up(body: dict[str, Any]) -> dict[str, Any]:
    items = body.get("items")
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        return body
    amounts = [each.get("amount_minor") for each in items] + [body.get("adjustment_minor") or 0]
    if all(isinstance(each, int) for each in amounts) and 0 <= sum(amounts) < 2**53:
        return {**body, "amount_minor": sum(amounts)}
    return body


def _format_rows(rows: list[Any], media: str, rng: Random) -> bytes:
    if media == NDJSON:
        return "\n".join(json.dumps(row, default=str) for row in rows).encode()
    table = [row for row in rows if isinstance(row, dict)]
    names = sorted({name for row in table for name in row})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]))
    writer.writerow(names)
    for row in table:
        values = [row.get(name, "") for name in names]
        writer.writerow([each if isinstance(each, str) else json.dumps(each, default=str) for each in values])
    return text.getvalue().encode("utf-8", "replace")
