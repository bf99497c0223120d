"""Whatever bytes come as evidence, the verifier answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.verdict import describe_verdict, format_verdict
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory
from tests.support.evidence_mutants import paths, reach
from tests.unit.proofs.strategies import json_values

FACTORY = EvidenceFactory(records=6)
DOCUMENT = FACTORY.document(3)
TRUST = replace(FACTORY.trust, required=(1, 2, 3, 4, 5, 6, 7))
VALUE: Any = decode(DOCUMENT)
PATHS = list(paths(VALUE))


def answer(document: bytes) -> str:
    """The result, with both written forms of the verdict made on the way."""
    verdict = verify(document, policy=FACTORY.policy, trust=TRUST, now=FACTORY.now, chain_view=FACTORY.chain)
    format_verdict(verdict)
    describe_verdict(verdict)
    return verdict.result


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Any bytes get an answer, and it is not valid."""
    assert answer(data) == "invalid"


@given(json_values(20))
def test_any_json(value: Any) -> None:
    """Any canonical JSON gets an answer, and it is not valid."""
    assert answer(encode(value)) == "invalid"


@settings(max_examples=400)
@given(st.sampled_from(PATHS), json_values(8))
def test_any_member(path: tuple[str | int, ...], new: Any) -> None:
    """Any member replaced by any JSON gets an answer, and it is not valid. Only fields may be left out."""
    value: Any = decode(DOCUMENT)
    reach(value, path[:-1])[path[-1]] = new
    document = encode(value)
    harmless = document == DOCUMENT or (path, new) == (("fields",), None)
    assert (answer(document) == "valid") == harmless


# The name and key id of the checkpoint's third line: once they are no known key's, the line is ignored.
NAMED = DOCUMENT.rindex(f"\u2014 {FACTORY.origin} ".encode()) + len(b"\xe2\x80\x94 ")
UNKNOWN_LINE = range(NAMED, NAMED + len(FACTORY.origin) + len(b" AAAAAA"))


@settings(max_examples=400)
@given(st.integers(0, len(DOCUMENT) - 1), st.integers(0, 255))
def test_any_byte(place: int, byte: int) -> None:
    """Any byte replaced gets an answer, and it is not valid, except in the name of the third line."""
    document = DOCUMENT[:place] + bytes([byte]) + DOCUMENT[place + 1 :]
    if answer(document) == "valid":
        assert document == DOCUMENT or place in UNKNOWN_LINE


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=60), st.sampled_from(["proof", "entry"]))
def test_any_text(text: str, member: str) -> None:
    """Any text as proof or entry gets an answer; lone surrogates are no evidence at all."""
    raw = DOCUMENT.replace(encode(VALUE[member]), b'"' + text.encode("utf-8", "surrogatepass") + b'"')
    assert answer(raw) == "invalid"


@pytest.mark.parametrize("name", ["state", "reason", "since"])
@pytest.mark.parametrize("new", [[], {}, None, 1, True, ["active"]])
def test_unhashable_members(name: str, new: Any) -> None:
    """A list or object where a word is expected is malformed, not an error of the interpreter."""
    for path in (("status", name), ("status", "history", 0, name), ("status", "proof", "type")):
        value: Any = decode(DOCUMENT)
        reach(value, path[:-1])[path[-1]] = new
        assert answer(encode(value)) == "invalid"


@pytest.mark.parametrize("index", [2**53 - 1, 2**53, 2**63 - 1])
def test_large_indexes(index: int) -> None:
    """An index that a proof may state and canonical JSON cannot is an answer, not an error of the writer."""
    proof = VALUE["proof"].replace("index 3\n", f"index {index}\n")
    assert answer(encode({**VALUE, "proof": proof})) == "invalid"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_ends_of_the_calendar(time: str) -> None:
    """Times at either end of the calendar get an answer: no sum with a tolerance leaves it."""
    anchor = VALUE["anchors"][0]
    late = {**anchor, "time": time, "block": {**anchor["block"], "time": time}}
    early = {**anchor, "previous": {"size": 1, "root": anchor["root"], "time": time}}
    for changed in (late, early):
        assert answer(encode({**VALUE, "anchors": [changed]})) == "invalid"
    status = {**VALUE["status"], "as_of": {**VALUE["status"]["as_of"], "time": time}}
    assert answer(encode({**VALUE, "status": status})) != "valid"
