"""JSON text from outside, read without choosing for the writer: a doubled name is refused, not resolved."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from ledger_service.records.kinds import FieldProblem, refuse

_WHITE: Final = b" \t\r\n"


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object that `data` holds; raises InvalidPayloadError when it is none, or doubles a name.

    Numbers come as Python's int or float: a kind refuses floats where it finds them. Whoever calls
    bounds the size.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise refuse([_whole("must be one JSON object")]) from None
    if type(value) is not dict:
        raise refuse([_whole("must be one JSON object")])
    # Each name ends in a quote and a colon, so as many of those as there are names leave no room for a
    # doubled one. A text that begins with a colon looks the same; then the slower reader decides.
    if data.translate(None, _WHITE).count(b'":') != _count_names(value):
        _refuse_doubled(data)
    return value


def _count_names(value: object) -> int:
    if type(value) is dict:
        return len(value) + sum(_count_names(each) for each in value.values() if type(each) in (dict, list))
    if type(value) is list:
        return sum(_count_names(each) for each in value if type(each) in (dict, list))
    return 0


def _refuse_doubled(data: bytes) -> None:
    def check(pairs: list[tuple[str, object]]) -> None:
        if len(dict(pairs)) != len(pairs):
            raise refuse([_whole("has a name twice in one object")])

    try:
        json.loads(data, object_pairs_hook=check)
    except RecursionError:
        raise refuse([_whole("is nested too deeply")]) from None


def _whole(problem: str) -> FieldProblem:
    return {"field": "", "problem": problem}
