"""The verdict, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.errors import CouldNotCheckError
from ledger_service.proofs.anchoring import NO_LOWER_BOUND, SELF_ANCHORED
from ledger_service.proofs.canonical import decode, encode_base64url, format_time, parse_time
from ledger_service.proofs.chain_view import GRADE_NODE, GRADE_STATED, AnchorFinding, ChainStatus
from ledger_service.proofs.entry import Author, Entry, format_entry
from ledger_service.proofs.evidence import Evidence, format_evidence
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.note import format_note, parse_note
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.status import ACTIVE, STATES, OtherProof, StatusChange
from ledger_service.proofs.trust import HeadKey, Trust, parse_trust
from ledger_service.proofs.types import LeafIndex, RootHash, TreeSize
from ledger_service.proofs.verdict import STEPS, Result, Verdict, exit_code, format_verdict, people_words
from ledger_service.proofs.verify import NEVER_PROVEN, verify
from tests.support.evidence_factory import EvidenceFactory, SampleChain, derive, purchase_values
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.note import Note, VerifierKey
    from ledger_service.proofs.trust import TrustedAnchor

FACTORY = EvidenceFactory(records=12)
EVIDENCE = FACTORY.evidence(5)
DAY = timedelta(days=1)


def judge(
    evidence: Evidence | bytes = EVIDENCE,
    *,
    factory: EvidenceFactory = FACTORY,
    trust: Any = None,
    **question: Any,
) -> Verdict:
    """The verdict on evidence under the factory's own policy and trust file, offline unless a chain is given."""
    data = evidence if isinstance(evidence, bytes) else format_evidence(evidence)
    question = {"now": factory.now} | question
    return verify(data, policy=factory.policy, trust=factory.trust if trust is None else trust, **question)


def outcomes(verdict: Verdict) -> str:
    """One character for each step: + passed, - failed, ? could not be checked."""
    return "".join({"pass": "+", "fail": "-", "could not check": "?"}[step.outcome] for step in verdict.steps)


def detail(verdict: Verdict, number: int) -> str:
    """What a step says."""
    return verdict.steps[number - 1].detail


class DeadChain:
    """A node that does not answer."""

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")

    def check_eip712_line(self, note: Note, key: VerifierKey) -> None:
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")


# --- the whole ------------------------------------------------------------------------------------------------


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


# --- 1 evidence parses ------------------------------------------------------------------------------------------


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


# --- 2 disclosed fields open the commitment ---------------------------------------------------------------------


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


def other_schema_factory(schema: Schema, values: dict[str, Any], **claim: Any) -> EvidenceFactory:
    """A log whose entry 1 is of another schema."""
    factory = EvidenceFactory("other", records=1)
    factory.schema = schema
    factory.add_record(values, **claim)
    return factory


def test_public_field_that_the_schema_does_not_name() -> None:
    """An entry whose public fields are not its schema's fails step 2."""
    factory = other_schema_factory(Schema("a/v1", (), ("code",)), {}, public={"code": 1, "more": 2})
    assert outcomes(judge(factory.evidence(1), factory=factory))[1] == "-"


def test_kind_without_private_fields() -> None:
    """A kind that is public altogether is shown altogether; fields beside it are refused."""
    factory = other_schema_factory(Schema("a/v1", (), ("code",)), {}, public={"code": 1})
    verdict = judge(factory.evidence(1), factory=factory)
    assert (verdict.result, verdict.scope) == ("valid", "all fields")
    shown = replace(factory.evidence(1), fields=["A" * 43])
    assert outcomes(judge(shown, factory=factory))[1] == "-"


@pytest.mark.parametrize(("private", "commitment"), [((), bytes(32)), (("a",), None)])
def test_commitment_exactly_with_private_fields(private: tuple[str, ...], commitment: bytes | None) -> None:
    """An entry with private fields but no commitment, or the reverse, fails step 2."""
    factory = other_schema_factory(Schema("a/v1", private, ()), {}, commitment=commitment)
    assert outcomes(judge(factory.evidence(1, names=None), factory=factory))[1] == "-"


# --- 3 entry hashes to the leaf, 4 inclusion --------------------------------------------------------------------


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


# --- 5 checkpoint signed ----------------------------------------------------------------------------------------


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
    assert "The EIP-712 line could not be checked" in detail(verdict, 5)
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
    assert "1 signature lines by keys" in detail(judge(trust=replace(FACTORY.trust, logs=(bare,))), 5)


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


# --- 6 checkpoint anchored --------------------------------------------------------------------------------------

REQUIRE_ANCHOR = replace(FACTORY.trust, required=(1, 2, 3, 4, 5, 6, 7))


@pytest.mark.parametrize("view", [None, DeadChain()])
def test_required_anchor_without_chain(view: Any) -> None:
    """Where the anchor is required and no chain answers, the verdict is unknown, with the reason."""
    verdict = judge(trust=REQUIRE_ANCHOR, chain_view=view)
    assert (verdict.result, outcomes(verdict)[5]) == ("unknown", "?")
    assert "stated only" in verdict.reason
    assert "No node was asked" in verdict.reason or "No answer" in verdict.reason


def test_required_anchor_with_chain() -> None:
    """Where the anchor is required and the chain bears it out, the verdict is valid."""
    assert judge(trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain).result == "valid"


def test_no_anchor() -> None:
    """Evidence without an anchor could not be checked at step 6."""
    bare = replace(EVIDENCE, anchors=())
    assert (judge(bare).result, outcomes(judge(bare))[5]) == ("valid", "?")
    assert judge(bare, trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain).result == "unknown"


def test_self_anchored_words() -> None:
    """A chain that the operator runs gives order, never time, and the verdict says so in full."""
    verdict = judge(chain_view=FACTORY.chain)
    assert detail(verdict, 6).startswith("Order, self-anchored:")
    assert any(SELF_ANCHORED in text for text in verdict.not_proven)
    assert SELF_ANCHORED == (
        "self-anchored: the operator runs this chain, so it gives order and tamper evidence to those who kept a "
        "checkpoint, not independent time."
    )
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is True


def independent_trust() -> Trust:
    """The trust file that says the chain is not the operator's."""
    log = FACTORY.trusted_log
    anchors = tuple(replace(anchor, self_anchored=False) for anchor in log.anchors)
    return replace(REQUIRE_ANCHOR, logs=(replace(log, anchors=anchors),))


def test_independent_chain() -> None:
    """A chain that the operator does not run gives an interval of time without that reservation."""
    verdict = judge(trust=independent_trust(), chain_view=FACTORY.chain)
    assert verdict.interval is not None
    assert (verdict.interval.grade, verdict.interval.self_anchored) == (GRADE_NODE, False)
    assert (verdict.interval.after, verdict.interval.before) == (FACTORY.time_of(4), FACTORY.time_of(8))
    assert not any("self-anchored" in text for text in verdict.not_proven)
    assert detail(verdict, 6).startswith(GRADE_NODE)


def test_stated_interval() -> None:
    """Offline the interval is given as what it is, stated only."""
    interval = judge().interval
    assert interval is not None
    assert (interval.grade, interval.self_anchored) == (GRADE_STATED, True)


def test_first_head_has_no_lower_bound() -> None:
    """The first head bounds an entry only from above, and the verdict says so."""
    verdict = judge(FACTORY.evidence(2), chain_view=FACTORY.chain)
    assert verdict.interval is not None
    assert verdict.interval.after is None
    assert NO_LOWER_BOUND in verdict.not_proven


def test_head_before_that_held_the_entry_already() -> None:
    """An anchor that is not the first to hold the entry bounds it from above only."""
    evidence = replace(FACTORY.evidence(2), proof=FACTORY.proof(2, 8), anchors=(FACTORY.anchor(5),))
    verdict = judge(evidence, chain_view=FACTORY.chain)
    assert verdict.result == "valid"
    assert verdict.interval is not None
    assert verdict.interval.after is None


def with_anchor(**changes: Any) -> Evidence:
    """The evidence with members of its anchor changed."""
    return replace(EVIDENCE, anchors=(replace(EVIDENCE.anchors[0], **changes),))


PREVIOUS = EVIDENCE.anchors[0].previous
assert PREVIOUS is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"size": TreeSize(9)},
        {"root": RootHash(bytes(32))},
        {"time": FACTORY.time_of(9)},
        {"previous": replace(PREVIOUS, size=TreeSize(8))},
        {"previous": replace(PREVIOUS, time=FACTORY.time_of(9))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_anchor_that_contradicts_itself_or_the_checkpoint(changes: dict[str, Any]) -> None:
    """An anchor of another head, or with an impossible head before it, fails step 6 even offline."""
    verdict = judge(with_anchor(**changes))
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


@pytest.mark.parametrize("name", ["chain_id", "genesis_hash", "contract", "code_hash", "log_id"])
def test_anchor_on_a_chain_that_is_not_pinned(name: str) -> None:
    """An anchor whose chain, contract or log is not in the trust file could not be checked, chain or no chain."""
    size = 20 if name == "contract" else 32
    other: Any = 1 if name == "chain_id" else derive("other", size=size)
    verdict = judge(with_anchor(**{name: other}), trust=REQUIRE_ANCHOR, chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)[5]) == ("unknown", "?")
    assert "not pinned" in verdict.reason
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is None


@pytest.mark.parametrize("changes", [{"tx_hash": bytes(32)}, {"previous": None}, {"header_rlp": b"x"}])
def test_anchor_that_the_chain_does_not_hold(changes: dict[str, Any]) -> None:
    """An anchor of which the chain contradicts any member fails step 6."""
    verdict = judge(with_anchor(**changes), chain_view=FACTORY.chain)
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


@pytest.mark.parametrize(
    ("shift", "expected"), [(-311, "-"), (-310, "?"), (-60, "?"), (300, "?"), (330, "?"), (331, "-")]
)
def test_accepted_time_outside_the_interval(shift: int, expected: str) -> None:
    """An entry accepted outside its anchor's interval by more than the tolerance of 5 minutes fails step 6."""
    factory = EvidenceFactory("late", records=12)
    record = factory.records[5]
    data = format_entry(Entry(record.entry.claim, record.entry.accepted + timedelta(seconds=shift)))
    # Entry 5 of size 8, after the head at 4: the interval reaches from 10 s before to 30 s after its time.
    evidence = replace(factory.evidence(5), entry=data)
    assert outcomes(judge(evidence, factory=factory))[5] == expected


def test_interval_of_the_chain_counts_too() -> None:
    """The chain's own times bound the entry even where the anchor states others."""

    class SlowChain(SampleChain):
        def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
            late = anchor.time - DAY
            return AnchorFinding(GRADE_NODE, late, late, trusted.contract.hex())

    verdict = judge(chain_view=SlowChain(lines=FACTORY.chain.lines))
    assert (verdict.result, outcomes(verdict)[5]) == ("invalid", "-")


def test_best_of_several_anchors() -> None:
    """Of several anchors the one on a chain that is not the operator's counts; one bad anchor refuses all."""
    anchor = EVIDENCE.anchors[0]
    public = replace(anchor, chain_id=1)
    log = independent_trust().logs[0]
    pinned = (FACTORY.trusted_log.anchors[0], replace(log.anchors[0], chain_id=1))
    trust = replace(REQUIRE_ANCHOR, logs=(replace(log, anchors=pinned),))
    chain = SampleChain([anchor, public], lines=FACTORY.chain.lines)
    verdict = judge(replace(EVIDENCE, anchors=(anchor, public)), trust=trust, chain_view=chain)
    assert verdict.interval is not None
    assert verdict.interval.self_anchored is False
    forged = replace(EVIDENCE, anchors=(anchor, replace(public, tx_hash=bytes(32))))
    assert judge(forged, trust=trust, chain_view=chain).result == "invalid"


# --- 7 status at the asked date ---------------------------------------------------------------------------------


def with_status(status: Any) -> Evidence:
    """The evidence with another status statement."""
    return replace(EVIDENCE, status=status)


def change(state: str, seconds: int, *, known: int | None = None) -> StatusChange:
    """A change in force `seconds` after the record, known at once or later."""
    since = FACTORY.time_of(5) + timedelta(seconds=seconds)
    recorded = since if known is None else FACTORY.time_of(5) + timedelta(seconds=known)
    return StatusChange(state, since, recorded, "because", LeafIndex(6))


@pytest.mark.parametrize("state", STATES[1:])
def test_state_is_the_result(state: str) -> None:
    """A record that is not active has its state as the verdict, and is not genuine."""
    verdict = judge(with_status(FACTORY.status(5, change(state, 10))))
    assert (verdict.result, people_words(verdict.result), exit_code(verdict.result)) == (
        state,
        "Not genuine",
        1,
    )


def test_asked_date() -> None:
    """The state that counts is the one at the asked date."""
    evidence = with_status(FACTORY.status(5, change("suspended", 20)))
    before, after = (FACTORY.time_of(5) + timedelta(seconds=seconds) for seconds in (19, 20))
    assert judge(evidence, at=before).result == "valid"
    assert judge(evidence, at=after).result == "suspended"
    assert judge(evidence).result == "suspended"


def test_known_date() -> None:
    """A change that became known later than the asked date of knowledge does not count."""
    evidence = with_status(FACTORY.status(5, change("revoked", 5, known=30)))
    at, early, late = (FACTORY.time_of(5) + timedelta(seconds=seconds) for seconds in (10, 29, 30))
    assert judge(evidence, at=at, known_at=early).result == "valid"
    assert judge(evidence, at=at, known_at=late).result == "revoked"


def test_before_the_record_was() -> None:
    """Before the record existed it had no status: unknown."""
    verdict = judge(at=FACTORY.time_of(4))
    assert (verdict.result, outcomes(verdict)[6]) == ("unknown", "?")


def unknown(evidence: Evidence, word: str, **question: Any) -> None:
    """Hold that step 7 could not be checked, that the verdict is unknown, and that the reason says why."""
    verdict = judge(evidence, **question)
    assert (verdict.result, outcomes(verdict)[6]) == ("unknown", "?")
    assert word in verdict.reason


def test_no_status() -> None:
    """A missing statement is unknown, never active."""
    unknown(with_status(None), "silence is not a status")
    unknown(with_status(None), "silence is not a status", chain_view=FACTORY.chain)


@pytest.mark.parametrize(("age", "result"), [(0, "valid"), (86_400, "valid"), (86_401, "unknown")])
def test_stale_status(age: int, result: str) -> None:
    """A statement older than the trust file allows is unknown."""
    verdict = judge(now=FACTORY.now + timedelta(seconds=age))
    assert verdict.result == result
    assert result == "valid" or "older than the trust file allows" in verdict.reason


def test_status_older_than_the_asked_date() -> None:
    """A date long after the statement cannot be answered from it, even by somebody whose clock is slow."""
    unknown(EVIDENCE, "older than the trust file allows", at=FACTORY.now + 2 * DAY)
    unknown(EVIDENCE, "older than the trust file allows", known_at=FACTORY.now + 2 * DAY)


def test_status_from_the_future() -> None:
    """A statement from beyond the verifier's clock and tolerance is unknown."""
    unknown(EVIDENCE, "from the future", now=FACTORY.now - timedelta(seconds=301))
    assert judge(now=FACTORY.now - timedelta(seconds=20)).result == "valid"


@pytest.mark.parametrize("size", [4, 5])
def test_status_below_the_entry(size: int) -> None:
    """A statement that has not read the log as far as the entry is unknown; one entry more is enough."""
    unknown(with_status(FACTORY.status(5, size=size)), "as far as this entry")
    assert judge(with_status(FACTORY.status(5, size=6))).result == "valid"


def test_unknown_status_key() -> None:
    """A statement by a key that the trust file does not list is unknown."""
    log = replace(FACTORY.trusted_log, status_keys=())
    unknown(EVIDENCE, "unknown key", trust=replace(FACTORY.trust, logs=(log,)))


def test_log_that_the_trust_file_does_not_know() -> None:
    """A log that the trust file does not describe has no status keys and no issuer: unknown."""
    verdict = judge(trust=Trust(()))
    assert (verdict.result, outcomes(verdict)) == ("unknown", "+++++???")
    assert verdict.record is not None
    assert verdict.record["issuer"] is None


def test_forged_status() -> None:
    """A statement whose signature does not verify under a known key is invalid."""
    status = EVIDENCE.status
    assert status is not None
    forged = replace(status, as_of=replace(status.as_of, time=FACTORY.now + timedelta(seconds=1)))
    verdict = judge(with_status(forged))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")


def test_status_of_another_record() -> None:
    """A statement about another record is invalid."""
    verdict = judge(with_status(FACTORY.status(6)))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")


def test_forked_log() -> None:
    """A status of the checkpoint's size with another root shows a fork: invalid."""
    status = FACTORY.status(5, size=8)
    forked = FACTORY.sign_status(replace(status, as_of=replace(status.as_of, root=RootHash(bytes(32)))))
    verdict = judge(with_status(forked))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")
    assert "forked" in verdict.reason
    assert judge(with_status(status)).result == "valid"


def chain_with(state: str, since: datetime) -> SampleChain:
    """The chain with a state of the record in the contract."""
    chain = SampleChain(FACTORY.chain.anchors, lines=FACTORY.chain.lines)
    chain.states[FACTORY.pointer(5)] = ChainStatus(state, since, "block 120")
    return chain


@pytest.mark.parametrize("log", STATES)
@pytest.mark.parametrize("contract", STATES)
def test_the_worse_of_log_and_contract_counts(log: str, contract: str) -> None:
    """Where log and contract disagree the worse state counts, and the verdict says that they disagree."""
    changes = [] if log == ACTIVE else [change(log, 10)]
    evidence = with_status(FACTORY.status(5, *changes))
    verdict = judge(evidence, chain_view=chain_with(contract, FACTORY.time_of(6)))
    worse = max(log, contract, key=STATES.index)
    assert verdict.result == ("valid" if worse == ACTIVE else worse)
    assert any("disagree" in text for text in verdict.not_proven) == (log != contract)


def test_contract_state_after_the_asked_date() -> None:
    """A state that the contract took on after the asked date does not count at that date."""
    chain = chain_with("revoked", FACTORY.time_of(9))
    assert judge(chain_view=chain, at=FACTORY.time_of(8)).result == "valid"
    assert judge(chain_view=chain, at=FACTORY.time_of(9)).result == "revoked"


def test_contract_state_without_statement() -> None:
    """Without a statement a bad state in the contract still counts; a good one does not make up for it."""
    chain = chain_with("revoked", FACTORY.time_of(6))
    assert judge(with_status(None), chain_view=chain).result == "revoked"


def test_statement_that_points_to_the_contract() -> None:
    """A statement whose proof is the contract's state needs a chain that answers."""
    statement = replace(FACTORY.status(5), proof=OtherProof("chain", {"block": 7}))
    unknown(with_status(statement), "needs a node")
    unknown(with_status(statement), "needs a node", chain_view=DeadChain())
    assert judge(with_status(statement), chain_view=FACTORY.chain).result == "valid"
    chain = chain_with("revoked", FACTORY.time_of(6))
    assert judge(with_status(statement), chain_view=chain).result == "revoked"


def test_dead_chain_does_not_make_a_signed_status_worse() -> None:
    """A signed status stands without the contract, and the verdict says that the contract was not read."""
    verdict = judge(chain_view=DeadChain())
    assert verdict.result == "valid"
    assert any("contract's own status could not be read" in text for text in verdict.not_proven)
    assert any("operator's word" in text for text in verdict.not_proven)


# --- 8 what the kind adds ---------------------------------------------------------------------------------------


def test_issuer() -> None:
    """The issuer is the one the trust file names; an entry of another organization is refused."""
    assert "Acme Incorporated (acme)" in detail(judge(), 8)
    log = replace(FACTORY.trusted_log, org="someone")
    verdict = judge(trust=replace(FACTORY.trust, logs=(log,)))
    assert (verdict.result, outcomes(verdict)[7]) == ("invalid", "-")


CERTIFICATE = Schema("sample/v1", ("file_sha256", "holder", "valid_from", "valid_until"), ())
FILE = sha256(b"a file").digest()


def certificate(**values: Any) -> EvidenceFactory:
    """A log whose entry 1 is about a file and valid for a time."""
    return other_schema_factory(CERTIFICATE, {"holder": "somebody", **values})


def judge_certificate(
    factory: EvidenceFactory, *, names: Any = CERTIFICATE.private, **question: Any
) -> Verdict:
    """The verdict on entry 1."""
    return judge(factory.evidence(1, names=names), factory=factory, **question)


def test_file() -> None:
    """The file asked about must be the one the record is about, shown in the evidence."""
    factory = certificate(file_sha256=encode_base64url(FILE))
    assert judge_certificate(factory, file_digest=FILE).result == "valid"
    assert judge_certificate(factory, file_digest=bytes(32)).result == "invalid"


def test_file_that_could_not_be_compared() -> None:
    """A file that was asked about and could not be compared makes the verdict unknown, though step 8 is optional."""
    factory = certificate(file_sha256=encode_base64url(FILE), valid_until=format_time(FACTORY.now))
    verdict = judge_certificate(factory, names=("holder", "valid_until", "valid_from"), file_digest=FILE)
    assert (verdict.result, outcomes(verdict)[7]) == ("unknown", "?")
    assert judge(file_digest=FILE).result == "unknown"
    assert judge(trust=Trust(()), file_digest=FILE).result == "unknown"


def test_public_digest() -> None:
    """A digest that was published is compared like a private one."""
    factory = other_schema_factory(
        Schema("a/v1", (), ("file_sha256",)), {}, public={"file_sha256": encode_base64url(FILE)}
    )
    assert judge(factory.evidence(1), factory=factory, file_digest=FILE).result == "valid"


@pytest.mark.parametrize(
    ("seconds", "result"), [(-1, "invalid"), (0, "valid"), (100, "valid"), (101, "expired")]
)
def test_validity_period(seconds: int, result: str) -> None:
    """A record is valid from its first to its last second; after that expired, before it invalid."""
    start = EvidenceFactory.time_of(2)
    factory = certificate(
        valid_from=format_time(start), valid_until=format_time(start + timedelta(seconds=100))
    )
    verdict = judge_certificate(factory, at=start + timedelta(seconds=seconds))
    assert verdict.result == result


def test_open_ended() -> None:
    """A record whose end is shown to be absent does not expire."""
    assert judge_certificate(certificate()).result == "valid"


@pytest.mark.parametrize("names", [None, ("holder",), ("valid_from",)])
def test_hiding_the_end_does_not_help(names: Any) -> None:
    """A kind with a validity period that the evidence hides is unknown: what was not shown may be over."""
    start = EvidenceFactory.time_of(2)
    factory = certificate(valid_until=format_time(start))
    verdict = judge_certificate(factory, names=names, at=start + DAY / 2)
    assert (verdict.result, outcomes(verdict)[7]) == ("unknown", "?")
    assert judge_certificate(factory, at=start + DAY / 2).result == "expired"


@pytest.mark.parametrize("value", [5, "tomorrow", "2026-11-22T01:02:03+00:00"])
def test_malformed_end(value: Any) -> None:
    """An end that is no time is refused."""
    verdict = judge_certificate(certificate(valid_until=value))
    assert (verdict.result, outcomes(verdict)[7]) == ("invalid", "-")


def test_author_is_not_proven() -> None:
    """Who signed the claim is not proven as long as no trust file names author keys, and the verdict says so."""
    factory = EvidenceFactory("signed", records=1)
    claim = factory.records[0].entry.claim
    signed = format_entry(Entry(claim, factory.records[0].entry.accepted, (Author(b"k", "ed25519", b"s"),)))
    factory.schema = Schema("opening/v1", (), ("keys", "kinds", "org", "origin", "predecessor"))
    factory.records[0] = replace(factory.records[0], data=signed)
    factory.tiles = type(factory.tiles)()
    factory.tiles.append([leaf_hash(signed)])
    verdict = judge(factory.evidence(0), factory=factory)
    assert any("author keys" in text for text in verdict.not_proven)


# --- the answer -------------------------------------------------------------------------------------------------


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
