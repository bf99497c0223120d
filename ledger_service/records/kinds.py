"""Kinds of records: a name, a schema, and the function that turns a payload into fields or refuses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

from ledger_service.errors import InvalidPayloadError, UnknownKindError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.schema import Schema

# A reader mends the first few mistakes at a time; more would only make the answer large.
MOST_PROBLEMS = 20


class FieldProblem(TypedDict):
    """One mistake in a payload: where, such as `items[0].quantity`, and what is asked there."""

    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """The fields of a valid payload. An absent field is a missing key, never None.

    `subject` names whose data the private fields are (None: the organization's own), `reference` the
    writer's own number for the record, under which it is found again, `points_at` the id of an earlier
    record that this one is about or takes the place of.
    """

    private: dict[str, JsonValue]
    public: dict[str, JsonValue]
    subject: str | None
    reference: str | None
    points_at: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """The state that a record puts another one into, and why (a name of `records/reasons.py`)."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pointed:
    """A published record that a new one points at, held so that nothing changes it meanwhile.

    `values()` opens its private fields, `others()` those of the records of the new one's kind that point at
    it already; both raise what `open_record` raises.
    """

    values: Callable[[], Mapping[str, JsonValue]]
    others: Callable[[], Sequence[Mapping[str, JsonValue]]]


@dataclass(frozen=True, slots=True)
class Pointing:
    """How the records of a kind point at earlier ones of their log, and what that does to those.

    The pointer stands in the entry as `target` or as `previous`. `kinds` are the kinds that may be pointed
    at; None: all that have the change. `effect(public)` reads from the public fields what becomes of the
    other record, so that the entry alone says it. `measure(parsed, pointed)` holds the new record against the
    fields of the other and returns public fields that follow from both. `seals_alike`: sealed under the key
    of the other record.
    """

    role: Literal["target", "previous"]
    effect: Callable[[Mapping[str, JsonValue]], Effect | None]
    kinds: frozenset[str] | None = None
    measure: Callable[[ParsedRecord, Pointed], Mapping[str, JsonValue]] | None = None
    seals_alike: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record. Its functions are module-level ones, so that it can be sent to another process.

    `collection` names the logs that hold it, and so stands in their origins; it is empty for a kind that the
    logs of every collection hold. `word` stands in the URL under
    which callers record it, None for a kind that they never record by itself. `parse(payload, now)` returns
    the fields or raises InvalidPayloadError. `subject_of(payload)` returns the subject of a payload that is
    not validated yet, or None when it has none that `parse` would take. `example` is a payload that `parse`
    takes, for documents and tests. `changes` are the steps that the status of such a record can take; a state
    that no step leaves is final. A kind with `pointing` says something about earlier records.
    """

    name: str
    collection: str
    word: str | None
    schema: Schema
    parse: Callable[[Mapping[str, object], datetime], ParsedRecord]
    subject_of: Callable[[Mapping[str, object]], str | None]
    example: Mapping[str, object] = field(repr=False, hash=False)
    changes: frozenset[tuple[str, str]] = frozenset()
    pointing: Pointing | None = None


class KindRegistry:
    """The kinds that this installation keeps."""

    __slots__ = ("_kinds",)

    def __init__(self, kinds: Iterable[Kind]) -> None:
        """Hold `kinds`, each name once."""
        self._kinds = {kind.name: kind for kind in kinds}

    def get(self, name: str) -> Kind:
        """The kind of this name; raises UnknownKindError."""
        try:
            return self._kinds[name]
        except KeyError:
            raise UnknownKindError(kind=name[:80]) from None

    def all(self) -> tuple[Kind, ...]:
        """Every kind, by name."""
        return tuple(kind for _, kind in sorted(self._kinds.items()))

    def in_collection(self, collection: str) -> tuple[Kind, ...]:
        """The kinds of one collection, by name; raises UnknownKindError when there are none."""
        found = tuple(kind for kind in self.all() if kind.collection == collection)
        if not found:
            raise UnknownKindError(collection=collection[:80])
        return found


def refuse(problems: list[FieldProblem]) -> InvalidPayloadError:
    """The error that names these problems, as many as a reader can use."""
    return InvalidPayloadError(fields=problems[:MOST_PROBLEMS])
