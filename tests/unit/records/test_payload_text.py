"""JSON text from outside."""

from __future__ import annotations

import json

import pytest

from ledger_service.errors import InvalidPayloadError
from ledger_service.records.payload_text import parse_object


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b'{"a": [{"b" : 1}, {"b"\t:2}]}', {"a": [{"b": 1}, {"b": 2}]}),
        (b'{"a": ": b", "c": "\\":"}', {"a": ": b", "c": '":'}),
        (b'{"a":1.5}', {"a": 1.5}),
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", {"a": json.loads("[" * 31 + "]" * 31)}),
    ],
)
def test_objects_are_read(text: bytes, value: object) -> None:
    """An object is read as it stands, also when its texts look like names."""
    assert parse_object(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a": {"b":1, "b" :2}}',
        b'[{"a":1}]',
        b'{"a":[{"b":1,"\\u0062":2}]}',
        b'{"a":": x","b":1,"b":2}',
        b"{",
        b"",
        b"7",
        b"null",
        b'{"a":1}{"a":1}',
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        *(b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in (32, 300, 600, 1_000, 5_000)),
        b'{"a":' * 600 + b"1" + b"}" * 600,
        b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b',"a":1}',
    ],
)
def test_everything_else_is_refused(text: bytes) -> None:
    """A doubled name at any depth, what is no object, and broken text are refused in the same way."""
    with pytest.raises(InvalidPayloadError) as refused:
        parse_object(text)
    assert refused.value.details["fields"]
