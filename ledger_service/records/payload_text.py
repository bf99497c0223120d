"""JSON text from outside, read without choosing for the writer: a doubled name is refused, not resolved."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from ledger_service.proofs.canonical import MAX_DEPTH
from ledger_service.records.kinds import FieldProblem, refuse

_WHITE: Final = b" \t\r\n"
_TOO_DEEP: Final = "is nested too deeply"


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object that `data` holds; raises InvalidPayloadError when it is none, or doubles a name.

    Numbers come as Python's int or float: a kind refuses floats where it finds them. Whoever calls
    bounds the size. More than MAX_DEPTH levels are refused: nothing after this has to think of hostile nesting,
    and orjson, which reads it first, ends at a depth of its own and not at the stack's.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise refuse([_whole("must be one JSON object")]) from None
    if type(value) is not dict:
        raise refuse([_whole("must be one JSON object")])
    # Each name ends in a quote and a colon, so as many of those as there are names leave no room for a
    # doubled one. A text that begins with a colon looks the same; then the slower reader decides.
    if data.translate(None, _WHITE).count(b'":') != _count_names(value, MAX_DEPTH):
        _refuse_doubled(data)
    return value


def _count_names(value: dict[str, Any] | list[Any], levels: int) -> int:
    if levels == 0:
        raise refuse([_whole(_TOO_DEEP)])
    names, values = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    return names + sum(_count_names(each, levels - 1) for each in values if type(each) in (dict, list))


def _refuse_doubled(data: bytes) -> None:
    def check(pairs: list[tuple[str, object]]) -> None:
        if len(dict(pairs)) != len(pairs):
            raise refuse([_whole("has a name twice in one object")])

    try:
        json.loads(data, object_pairs_hook=check)
    except RecursionError:
        raise refuse([_whole(_TOO_DEEP)]) from None


def _whole(problem: str) -> FieldProblem:
    return {"field": "", "problem": problem}
