"""The verdict as a whole, and its steps 1 to 5."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger_service.proofs.canonical import decode, format_time, parse_time
from ledger_service.proofs.evidence import Evidence, format_evidence
from ledger_service.proofs.note import format_note, parse_note
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.trust import HeadKey, Trust, parse_trust
from ledger_service.proofs.types import LeafIndex, TreeSize
from ledger_service.proofs.verdict import STEPS, Result, exit_code, format_verdict, people_words
from ledger_service.proofs.verify import NEVER_PROVEN, verify
from tests.support.evidence_factory import EvidenceFactory, purchase_values
from tests.unit.proofs.judging import (
    EVIDENCE,
    FACTORY,
    DeadChain,
    detail,
    judge,
    other_schema_factory,
    outcomes,
)
from tests.unit.proofs.vectors import read_vectors


def test_good_evidence_offline() -> None:
    """Good evidence is valid offline; the anchor is stated only, which is not required by default."""
    verdict = judge()
    assert (verdict.result, verdict.scope, outcomes(verdict)) == ("valid", "some fields", "+++++?++")
    assert [step.number for step in verdict.steps] == list(STEPS) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [step.name for step in verdict.steps] == list(STEPS.values())


def test_good_evidence_with_a_chain() -> None:
    """With a chain at hand every step passes."""
    verdict = judge(chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)) == ("valid", "++++++++")


def test_vector() -> None:
    """The stored evidence has the stored verdict under the stored policy and trust file."""
    vector = read_vectors("evidence")
    verdict = verify(
        vector["evidence"].encode(),
        policy=parse_policy(vector["policy"].encode()),
        trust=parse_trust(vector["trust"].encode()),
        now=parse_time(vector["now"]),
    )
    assert verdict.result == vector["result"]


def test_record_summary() -> None:
    """The verdict says which record it is about, whose it is, and what was shown."""
    record = judge().record
    assert record is not None
    assert (record["log"], record["index"], record["org"], record["kind"]) == (
        FACTORY.origin,
        5,
        "acme",
        "purchase/v1",
    )
    assert record["issuer"] == "Acme Incorporated"
    assert record["fields"] == {"buyer": "customer-00005", "amount_minor": 1005}
    assert record["accepted"] == format_time(FACTORY.time_of(5))


def test_what_is_never_proven() -> None:
    """Every verdict says that acceptance time, bearer, number and availability of entries are not proven."""
    for verdict in (judge(), judge(b"nonsense")):
        assert set(NEVER_PROVEN) <= set(verdict.not_proven)
    words = " ".join(NEVER_PROVEN)
    for phrase in ("operator's claim", "bearer document", "How many entries", "bytes are available"):
        assert phrase in words


def test_steps_that_were_not_required_are_listed() -> None:
    """A valid verdict lists what could not be checked and was not required."""
    assert any(text.startswith("Step 6 (checkpoint anchored)") for text in judge().not_proven)
    assert not any(text.startswith("Step 6") for text in judge(chain_view=FACTORY.chain).not_proven)


def test_clock_with_fractions() -> None:
    """A clock that knows microseconds is as good as one that does not."""
    assert judge(now=FACTORY.now + timedelta(microseconds=5)).checked_at == FACTORY.now


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 100_000,
        b"\xff",
        format_evidence(EVIDENCE) + b"\n",
        format_evidence(EVIDENCE)[:-1],
    ],
    ids=lambda data: repr(data[:10]),
)
def test_bytes_that_are_no_evidence(data: bytes) -> None:
    """Bytes that do not parse are invalid, and no other step is made."""
    verdict = judge(data)
    assert (verdict.result, outcomes(verdict), verdict.record) == ("invalid", "-???????", None)
    format_verdict(verdict)


def test_entry_that_does_not_parse() -> None:
    """An entry that is not in its one form is invalid at step 1."""
    assert outcomes(judge(replace(EVIDENCE, entry=EVIDENCE.entry + b" "))) == "-???????"


@pytest.mark.parametrize(
    ("names", "scope", "expected"),
    [
        (None, "entry only", "+?+++?++"),
        ((), "entry only", "+++++?++"),
        (("buyer",), "some fields", "+++++?++"),
        (FACTORY.schema.private, "all fields", "+++++?++"),
    ],
)
def test_scope(names: tuple[str, ...] | None, scope: str, expected: str) -> None:
    """Without fields the best verdict is valid with scope entry only, though step 2 could not be made."""
    verdict = judge(FACTORY.evidence(5, names=names))
    assert (verdict.result, verdict.scope, outcomes(verdict)) == ("valid", scope, expected)


def test_fields_of_another_record() -> None:
    """Fields of another record do not open the commitment."""
    verdict = judge(replace(EVIDENCE, fields=FACTORY.evidence(6).fields))
    assert (verdict.result, outcomes(verdict)[:3]) == ("invalid", "+-+")
    assert verdict.record is not None
    assert verdict.record["fields"] == {}


@pytest.mark.parametrize(
    "schema",
    [
        Schema("purchase/v1", FACTORY.schema.private, ("extra",)),
        Schema("purchase/v1", FACTORY.schema.private[1:], ()),
        Schema("purchase/v2", FACTORY.schema.private, ()),
    ],
)
@pytest.mark.parametrize("fields", [EVIDENCE.fields, None])
def test_schema_of_another_kind(schema: Schema, fields: Any) -> None:
    """A schema other than the entry's fails step 2, with fields and without."""
    verdict = judge(replace(EVIDENCE, schema=schema, fields=fields))
    assert (verdict.result, outcomes(verdict)[1]) == ("invalid", "-")


def test_public_field_that_the_schema_does_not_name() -> None:
    """An entry whose public fields are not its schema's fails step 2."""
    factory = other_schema_factory(Schema("a/v1", (), ("code",)), {}, public={"code": 1, "more": 2})
    assert outcomes(judge(factory.evidence(1), factory=factory))[1] == "-"


def test_kind_without_private_fields() -> None:
    """A kind that is public altogether is shown altogether; fields beside it are refused."""
    factory = other_schema_factory(Schema("a/v1", (), ("code",)), {}, public={"code": 1})
    verdict = judge(factory.evidence(1), factory=factory)
    assert (verdict.result, verdict.scope, outcomes(verdict)[1]) == ("valid", "all fields", "+")
    shown = replace(factory.evidence(1), fields=["A" * 43])
    assert outcomes(judge(shown, factory=factory))[1] == "-"


@pytest.mark.parametrize(("private", "commitment"), [((), bytes(32)), (("a",), None)])
def test_commitment_exactly_with_private_fields(private: tuple[str, ...], commitment: bytes | None) -> None:
    """An entry with private fields but no commitment, or the reverse, fails step 2."""
    factory = other_schema_factory(Schema("a/v1", private, ()), {}, commitment=commitment)
    assert outcomes(judge(factory.evidence(1, names=None), factory=factory))[1] == "-"


def test_entry_of_another_record() -> None:
    """Another record's entry is not what the proof includes, nor what the status speaks of."""
    verdict = judge(replace(EVIDENCE, entry=FACTORY.records[6].data))
    assert (verdict.result, outcomes(verdict)) == ("invalid", "+-+-+?-+")


def test_checkpoint_of_another_log() -> None:
    """A checkpoint of another origin than the entry's fails step 3, whoever signed it."""
    other = EvidenceFactory("other", records=12)
    verdict = judge(replace(EVIDENCE, proof=other.proof(5, 8)))
    assert outcomes(verdict)[2:5] == "--?"


def test_opening_is_entry_0_and_nothing_else() -> None:
    """Entry 0 verifies as the log's opening; an opening elsewhere, and another kind at 0, fail step 3."""
    factory = EvidenceFactory("strange", records=1)
    factory.schema = Schema("opening/v1", (), ("keys", "kinds", "org", "origin", "predecessor"))
    opening = factory.evidence(0)
    assert (judge(opening, factory=factory).result, judge(opening, factory=factory).scope) == (
        "valid",
        "all fields",
    )
    factory.add_record({}, public=factory.records[0].entry.claim.public)
    assert outcomes(judge(factory.evidence(1), factory=factory))[2] == "-"
    data = FACTORY.records[5].data
    proof = replace(EVIDENCE.proof, index=LeafIndex(0))
    assert outcomes(judge(replace(EVIDENCE, entry=data, proof=proof)))[2] == "-"


@pytest.mark.parametrize("index", [4, 6, 7, 8, 2**53])
def test_other_index(index: int) -> None:
    """An index other than the entry's fails step 4."""
    verdict = judge(replace(EVIDENCE, proof=replace(EVIDENCE.proof, index=LeafIndex(index))))
    assert (verdict.result, outcomes(verdict)[3]) == ("invalid", "-")


def with_note(change: Any) -> Evidence:
    """The evidence with its checkpoint's lines changed."""
    note = parse_note(EVIDENCE.proof.checkpoint)
    data = format_note(replace(note, signatures=tuple(change(list(note.signatures)))))
    return replace(EVIDENCE, proof=replace(EVIDENCE.proof, checkpoint=data))


def flip(place: int) -> Any:
    """Turn the last bit of a line."""

    def change(lines: list[Any]) -> list[Any]:
        payload = lines[place].payload
        lines[place] = replace(lines[place], payload=payload[:-1] + bytes([payload[-1] ^ 1]))
        return lines

    return change


@pytest.mark.parametrize(
    ("change", "result", "outcome"),
    [
        (flip(0), "invalid", "-"),
        (flip(1), "invalid", "-"),
        (lambda lines: lines[1:], "unknown", "?"),
        (lambda lines: [lines[0], lines[2]], "invalid", "-"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "invalid", "-"),
        (lambda lines: [*lines, replace(lines[0], name="someone.example")], "valid", "+"),
    ],
    ids=["ed25519 tampered", "ml-dsa tampered", "no ed25519", "no ml-dsa", "ed25519 twice", "unknown line"],
)
def test_lines_of_the_checkpoint(change: Any, result: str, outcome: str) -> None:
    """A tampered or missing known line is refused, a log that no known key signed for is unknown."""
    verdict = judge(with_note(change))
    assert (verdict.result, outcomes(verdict)[4]) == (result, outcome)


def test_unknown_log_key() -> None:
    """A log whose key the policy does not name is unknown, with the reason."""
    other = EvidenceFactory("other", records=12)
    verdict = verify(other.document(5), policy=FACTORY.policy, trust=other.trust, now=other.now)
    assert (verdict.result, outcomes(verdict)) == ("unknown", "++++??++")
    assert "names no key of the log" in verdict.reason


def test_eip712_line_offline() -> None:
    """Offline the EIP-712 line is named as not checked, and is no part of the quorum."""
    verdict = judge()
    assert "EIP-712 line could not be checked" in detail(verdict, 5)
    assert any("EIP-712" in text for text in verdict.not_proven)
    assert judge(with_note(lambda lines: lines[:2])).result == "valid"


def test_eip712_line_with_a_chain() -> None:
    """With a chain at hand a tampered EIP-712 line is refused, and a dead chain is said to be dead."""
    assert "is the head key's" in detail(judge(chain_view=FACTORY.chain), 5)
    verdict = judge(with_note(flip(2)), chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)[4]) == ("invalid", "-")
    assert "No answer." in detail(judge(chain_view=DeadChain()), 5)


def test_lines_that_nobody_knows_are_counted() -> None:
    """Without a trust file that names the third key, its line is counted among the unknown ones."""
    bare = replace(FACTORY.trusted_log, head_keys=())
    assert "not checked: 1." in detail(judge(trust=replace(FACTORY.trust, logs=(bare,))), 5)


@pytest.mark.parametrize(
    ("windows", "result"),
    [
        ([(0, None)], "valid"), ([(8, 8)], "valid"), ([(0, 7)], "invalid"), ([(9, None)], "invalid"),
        ([(0, 3), (7, 9)], "valid"), ([(0, 3), (9, 12)], "invalid"), ([], "valid"),
    ],
)  # fmt: skip
def test_key_windows(windows: list[tuple[int, int | None]], result: str) -> None:
    """A key speaks only for heads within the sizes that the trust file gives it; here the size is 8."""
    for key in (FACTORY.log_vkey, FACTORY.mldsa_vkey, FACTORY.eip712_vkey):
        heads = tuple(
            HeadKey(key, TreeSize(low), None if high is None else TreeSize(high)) for low, high in windows
        )
        trust = replace(FACTORY.trust, logs=(replace(FACTORY.trusted_log, head_keys=heads),))
        assert judge(trust=trust).result == result


@pytest.mark.parametrize(
    ("result", "words", "code"),
    [
        ("valid", "Genuine", 0),
        ("unknown", "Cannot tell", 2),
        ("invalid", "Not genuine", 1),
        ("expired", "Not genuine", 1),
    ],
)
def test_three_answers(result: Result, words: str, code: int) -> None:
    """People get one of three answers, and scripts one of three exit codes."""
    assert (people_words(result), exit_code(result)) == (words, code)


def test_failure_outweighs_ignorance() -> None:
    """A step that failed makes the verdict invalid whatever else could not be checked, and is the reason."""
    verdict = judge(replace(EVIDENCE, entry=FACTORY.records[6].data, status=None), trust=Trust(()))
    assert verdict.result == "invalid"
    assert verdict.reason.startswith("Step 2 (disclosed fields open the commitment) failed")


def test_required_step_that_is_optional_otherwise() -> None:
    """Step 8 can be required as well."""
    assert judge(trust=Trust((), required=(1, 8))).result == "unknown"


def test_verdict_as_json() -> None:
    """The verdict is canonical JSON of a version of its own, with its steps, interval and dates."""
    value: Any = decode(format_verdict(judge(chain_view=FACTORY.chain)))
    assert (value["v"], value["result"], value["people"]) == ("audit-ledger/verdict/v1", "valid", "Genuine")
    assert [step["number"] for step in value["steps"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert value["interval"]["before"] == format_time(FACTORY.time_of(8))
    assert value["at"] == value["known_at"] == value["checked_at"] == format_time(FACTORY.now)
    assert decode(format_verdict(judge(replace(EVIDENCE, anchors=()))))["interval"] is None  # type: ignore[call-overload,index]
    assert purchase_values(5)["buyer"] == value["record"]["fields"]["buyer"]
