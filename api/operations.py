"""What a route tells the OpenAPI document about itself, and the document's last touches.

Routes read their bodies with `parsing` and the kind's own validator, because on the writing path a second
validation would cost more than the record. So bodies and answers are described here, and a test holds the
description to the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from pydantic.json_schema import models_json_schema

from api import shapes
from api.errors import PROBLEM_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from apiflask import APIBlueprint
    from pydantic import BaseModel

    from ledger_service.accounts.scopes import Scope

P = ParamSpec("P")
R = TypeVar("R")

SECURITY: Final = "apiKey"
OPERATOR: Final = "operatorToken"
_NOTES: Final = "x-audit-ledger"
_REF: Final = "#/components/schemas/"
_RESPONSE: Final = "#/components/responses/"
JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Content:
    """A body or an answer: its words, its media type, and its shape if it is JSON."""

    description: str
    shape: type[BaseModel] | None = None
    media: tuple[str, ...] = (JSON,)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query string or a header."""

    name: str
    description: str
    place: str = "query"
    required: bool = False
    number: bool = False
    schema: Mapping[str, Any] | None = None


# What else than success an operation answers, always as a problem. A status that is not here is a defect, and
# is therefore not described: 500.
_PROBLEMS: Final = {
    code: Content(words, shapes.Problem, (PROBLEM_TYPE,))
    for code, words in (
        (400, "The request cannot be read."),
        (401, "There is no key, or none that is good."),
        (403, "The key has not the scope."),
        (404, "There is no such thing, or it is another organization's."),
        (409, "It contradicts what is there, or what it names is not in the log yet."),
        (410, "The contents were erased."),
        (413, "The body is too large."),
        (415, "The body is of another type."),
        (422, "What the request says cannot be taken; `errors` says why."),
        (429, "There were too many requests; Retry-After says when there may be more."),
        (503, "Something that this needs is away; Retry-After says when to ask again."),
        (507, "There is no room for more records."),
    )
} | {
    414: Content(
        "The address is too long. The HTTP server says so, before anything is read.", media=("text/html",)
    )
}
_ALWAYS: Final = frozenset({400, 401, 414, 429, 503})


def operation(
    blueprint: APIBlueprint,
    name: str,
    *,
    tag: str,
    answers: Mapping[int, Content],
    body: Content | None = None,
    parameters: tuple[Parameter, ...] = (),
    problems: tuple[int, ...] = (),
    scope: Scope | None = None,
    operator: bool = False,
    summary: str | None = None,
    description: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Describe a route: put it under the route decorator.

    Without `scope` the call is public, or for the `operator` alone. `problems` are statuses that do not follow
    from what the operation takes. Summary and description are those of its docstring unless they are given.
    """
    notes = _Notes(
        answers=answers, body=body, parameters=parameters, problems=problems, scope=scope, operator=operator
    )
    # APIFlask ships without precise types for its decorators.
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        blueprint.doc(
            operation_id=name,
            tags=[tag],
            summary=summary,
            description=description,
            extensions={_NOTES: notes},
        ),
    )


def query_of(view: object) -> frozenset[str] | None:
    """The query parameters that a view takes; None for one that describes itself elsewhere."""
    notes = getattr(view, "_spec", {}).get("extensions", {}).get(_NOTES)
    return None if notes is None else notes.query


def finish_document(document: dict[str, Any] | str) -> dict[str, Any]:
    """Fill in what the routes noted: bodies, parameters, answers, scopes, and the shapes they refer to."""
    assert isinstance(document, dict)
    used: set[type[BaseModel]] = {shapes.Problem}
    for operations in document["paths"].values():
        for method, entry in operations.items():
            notes = entry.pop(_NOTES)
            used |= notes.shapes()
            entry["parameters"] = [_path_parameter(p) for p in entry.get("parameters", [])]
            if notes.body:
                entry["requestBody"] = {"required": True, **_format_content(notes.body)}
            entry["responses"] = notes.responses(named=bool(entry["parameters"]), changes=method != "get")
            entry["parameters"] += [_format_parameter(each) for each in notes.parameters]
            entry["security"] = notes.security()
    _, definitions = models_json_schema(
        [(each, "validation") for each in sorted(used, key=lambda each: each.__name__)],
        ref_template=_REF + "{model}",
    )
    document.setdefault("components", {}).update(
        schemas=definitions["$defs"],
        responses={str(code): _format_content(each) for code, each in _PROBLEMS.items()},
    )
    return document


@dataclass(frozen=True, slots=True)
class _Notes:
    answers: Mapping[int, Content]
    body: Content | None
    parameters: tuple[Parameter, ...]
    problems: tuple[int, ...]
    scope: Scope | None
    operator: bool
    query: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = (each.name for each in self.parameters if each.place == "query")
        object.__setattr__(self, "query", frozenset(names))

    def security(self) -> list[dict[str, list[str]]]:
        """Which credentials the call needs; a public one takes a key as well."""
        if self.operator:
            return [{OPERATOR: []}]
        return [{SECURITY: [self.scope.value]}] if self.scope else [{}, {SECURITY: []}]

    def responses(self, *, named: bool, changes: bool) -> dict[str, Any]:
        """Every answer; `named` if the path names something, `changes` if the method may change something."""
        refused = {*_ALWAYS, *self.problems}
        refused |= {404} if named else set()
        refused |= {403} if self.scope else set()
        refused |= {413, 415, 422} if self.body else set()
        refused |= {409, 507} if self.scope and changes else set()
        found = {str(code): {"$ref": f"{_RESPONSE}{code}"} for code in sorted(refused)}
        for code, each in self.answers.items():
            found[str(code)] = _format_content(each)
            if code in refused:
                found[str(code)]["content"] |= _format_content(_PROBLEMS[code])["content"]
        return found

    def shapes(self) -> set[type[BaseModel]]:
        contents = [*self.answers.values(), *([self.body] if self.body else [])]
        return {each.shape for each in contents if each.shape is not None}


def _format_content(content: Content) -> dict[str, Any]:
    written: dict[str, Any] = {"description": content.description}
    if content.media:
        shape = {"$ref": _REF + content.shape.__name__} if content.shape else _TEXT
        # What is no JSON has no shape, whatever else the answer may be.
        written["content"] = {
            media: {"schema": shape if media.endswith("json") else _TEXT} for media in content.media
        }
    if content.headers:
        headers = content.headers.items()
        written["headers"] = {k: {"description": v, "schema": {"type": "string"}} for k, v in headers}
    return written


def _format_parameter(each: Parameter) -> dict[str, Any]:
    schema = each.schema or ({"type": "integer", "minimum": 0} if each.number else {"type": "string"})
    return {
        "name": each.name,
        "in": each.place,
        "required": each.required,
        "description": each.description,
        "schema": schema,
    }


def _path_parameter(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "required": True, "schema": {"type": "string"}}
