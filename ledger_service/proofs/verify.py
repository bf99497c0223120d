"""The verification procedure of design section 9, one function for each of its numbered steps.

A step returns its evidence in words, raises CouldNotCheckError when it could not be made, and any other error
of the tree when it failed. What the evidence says is believed only as far as a step has proven it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from ledger_service.errors import (
    CommitmentError,
    CouldNotCheckError,
    EvidenceError,
    LedgerError,
    SignatureError,
)
from ledger_service.proofs.anchoring import check_anchors
from ledger_service.proofs.canonical import (
    MAX_INTEGER,
    JsonValue,
    encode_base64url,
    format_time,
    parse_time,
)
from ledger_service.proofs.case import Case, Question
from ledger_service.proofs.chain_view import AnchorFinding, ChainStatus, ChainView
from ledger_service.proofs.checkpoint import parse_checkpoint
from ledger_service.proofs.entry import Pointer, format_pointer, parse_entry
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.fields import check_fields
from ledger_service.proofs.merkle import check_inclusion, leaf_hash
from ledger_service.proofs.note import ALG_EIP712, Note, VerifierKey, parse_note
from ledger_service.proofs.opening import OPENING_KIND, parse_opening
from ledger_service.proofs.policy import Policy, check_policy
from ledger_service.proofs.shapes import text_of
from ledger_service.proofs.standing import check_standing
from ledger_service.proofs.status import ACTIVE
from ledger_service.proofs.verdict import (
    COULD_NOT_CHECK,
    FAIL,
    PASS,
    STEPS,
    Outcome,
    Result,
    Scope,
    Step,
    Verdict,
    exit_code,
    format_verdict,
    people_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.proofs.trust import HeadKey, Trust

__all__ = [
    "AnchorFinding",
    "ChainStatus",
    "ChainView",
    "Step",
    "Verdict",
    "exit_code",
    "format_verdict",
    "people_words",
    "verify",
]

NEVER_PROVEN = (
    "When the entry was accepted: `accepted` is the operator's claim.",
    "Who presents this: the evidence is a bearer document, and anyone who has it can show it.",
    "How many entries the log has, and that their bytes are available: neither log nor chain proves it.",
)

FIELDS_STEP = 2
KIND_STEP = 8
# Field names with a meaning for step 8, in whatever kind they stand, public or private.
_FILE, _FROM, _UNTIL = "file_sha256", "valid_from", "valid_until"
# A kind whose digest is private unless its writer publishes it has the public one under this name.
_PUBLISHED_FILE = "published_sha256"


def verify(
    evidence: bytes,
    *,
    policy: Policy,
    trust: Trust,
    now: datetime,
    at: datetime | None = None,
    known_at: datetime | None = None,
    chain_view: ChainView | None = None,
    file_digest: bytes | None = None,
) -> Verdict:
    """Return the verdict on evidence of any bytes; bad evidence never raises.

    `at` is the date whose status is asked, `known_at` the date of the knowledge to use; both are `now` by
    default. `chain_view` reads the chain; None is offline. `file_digest` is the SHA-256 of a file that the
    record must be about, which makes step 8 required. Times are aware.
    """
    now, at, known_at = (_whole_second(moment or now) for moment in (now, at, known_at))
    question = Question(policy, trust, now, at, known_at, chain_view, file_digest)
    try:
        case = parse_case(evidence, question)
    except LedgerError as error:
        return _unparsed(question, error)
    steps = [_step(1, PASS, "The evidence, its entry and its checkpoint are each in their one form.")]
    steps += [_run(number, check, case) for number, check in _PROCEDURE]
    return _conclude(case, tuple(steps))


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def parse_case(data: bytes, question: Question) -> Case:
    """Step 1: the evidence parses, and its entry and checkpoint with it."""
    evidence = parse_evidence(data)
    entry = parse_entry(evidence.entry)
    checkpoint = parse_checkpoint(parse_note(evidence.proof.checkpoint).text)
    return Case(
        question=question,
        evidence=evidence,
        entry=entry,
        checkpoint=checkpoint,
        pointer=Pointer(entry.claim.log, evidence.proof.index, leaf_hash(evidence.entry)),
        trusted=question.trust.find_log(entry.claim.log),
        required={*question.trust.required, *((KIND_STEP,) if question.file_digest is not None else ())},
    )


def open_fields(case: Case) -> str:
    """Step 2: the schema is the entry's, and the disclosed fields open its commitment."""
    claim, schema, items = case.entry.claim, case.evidence.schema, case.evidence.fields
    if (claim.kind, claim.schema) != (schema.kind, schema.hash):
        raise EvidenceError("The schema is not the one that the entry names.")
    if not claim.public.keys() <= set(schema.public):
        raise EvidenceError("The entry has public fields that its schema does not name.")
    if (claim.commitment is None) != (not schema.private):
        raise CommitmentError("The entry has a commitment exactly when its kind has private fields.")
    if claim.commitment is None:
        if items:
            raise CommitmentError("Fields are shown that the kind does not have.")
        return "The kind has no private fields."
    if items is None:
        raise CouldNotCheckError("No private fields are shown.")
    case.shown = check_fields(items, commitment=claim.commitment, schema=schema, log=claim.log, id=claim.id)
    case.disclosed = frozenset(str(item[1]) for item in items if isinstance(item, list))
    return (
        f"{len(case.disclosed)} of {len(schema.private)} private fields are shown; they open the commitment."
    )


def hash_entry(case: Case) -> str:
    """Step 3: the entry hashes to the leaf that the other parts speak of, in the log that it names."""
    if case.checkpoint.origin != case.entry.claim.log:
        raise EvidenceError("The checkpoint is of another log than the entry.")
    if case.pointer.index == 0:
        parse_opening(case.entry)
    elif case.entry.claim.kind == OPENING_KIND:
        raise EvidenceError("An opening stands elsewhere than at index 0.")
    return f"Leaf {encode_base64url(case.pointer.leaf)}."


def include_leaf(case: Case) -> str:
    """Step 4: the leaf is in the checkpoint's tree at the stated index."""
    head = case.checkpoint
    check_inclusion(
        case.pointer.leaf,
        index=case.pointer.index,
        size=head.size,
        root=head.root,
        proof=case.evidence.proof.hashes,
    )
    return f"Entry {case.pointer.index} of {head.size}."


def check_checkpoint(case: Case) -> str:
    """Step 5: the checkpoint is signed as the policy demands, by keys that speak for its size."""
    verified = check_policy(case.evidence.proof.checkpoint, case.question.policy)
    details = [f"Signed by {verified.log_key.name}, cosigned by {', '.join(verified.cosigned) or 'nobody'}."]
    unchecked = len(verified.unchecked_lines)
    for key in _speaking_keys(case, verified.note):
        if key.alg == ALG_EIP712:
            unchecked -= 1
            details.append(_check_eip712(case, verified.note, key))
    if unchecked:
        details.append(f"Lines by keys that neither policy nor trust file names, not checked: {unchecked}.")
    return " ".join(details)


def _speaking_keys(case: Case, note: Note) -> list[VerifierKey]:
    """Return the head keys of the trust file that signed, once each is known to speak for this size."""
    signed = {(line.name, line.key_id) for line in note.signatures}
    heads = [head for head in _head_keys(case) if (head.key.name, head.key.key_id) in signed]
    keys = list(dict.fromkeys(head.key for head in heads))
    for key in keys:
        if not any(head.key == key and _covers(head, case.checkpoint.size) for head in heads):
            raise SignatureError(
                "A key signed the checkpoint that does not speak for its size.", key=key.name
            )
    return keys


def _head_keys(case: Case) -> tuple[HeadKey, ...]:
    return () if case.trusted is None else case.trusted.head_keys


def _covers(head: HeadKey, size: int) -> bool:
    return head.from_size <= size and (head.to_size is None or size <= head.to_size)


def _check_eip712(case: Case, note: Note, key: VerifierKey) -> str:
    view = case.question.chain_view
    reason = "The kernel has no Keccak."
    if view is not None:
        try:
            view.check_eip712_line(note, key)
        except CouldNotCheckError as error:
            reason = error.text
        else:
            return "The EIP-712 line is the head key's."
    sentence = f"The checkpoint's EIP-712 line could not be checked. {reason}"
    case.not_proven.append(sentence)
    return sentence


def check_kind(case: Case) -> str:
    """Step 8: the issuer is the one the trust file knows, and file and validity period fit."""
    if case.trusted is None:
        raise CouldNotCheckError("The trust file does not know this log, so nobody says who the issuer is.")
    if case.entry.claim.org != case.trusted.org:
        raise EvidenceError("The entry names another organization than the trust file does for this log.")
    details = [f"Issued by {case.trusted.issuer_name} ({case.trusted.org}), as the trust file says."]
    if case.question.file_digest is not None:
        published = case.entry.claim.public.get(_PUBLISHED_FILE)
        known = _field(case, _FILE) if published is None else published
        if known != encode_base64url(case.question.file_digest):
            raise EvidenceError("The file is not the one that the record is about.")
        details.append("The file is the one that the record is about.")
    start, end = _moment(case, _FROM), _moment(case, _UNTIL)
    if start is not None and case.question.at < start:
        raise EvidenceError(f"The record is valid only from {format_time(start)}.")
    if end is not None:
        case.expired = case.question.at > end
        details.append(f"Valid until {format_time(end)}.")
    if case.entry.by:
        case.not_proven.append("Who signed the claim: the trust file names no author keys.")
    return " ".join(details)


def _moment(case: Case, name: str) -> datetime | None:
    schema = case.evidence.schema
    if name not in schema.private and name not in schema.public:
        return None
    value = _field(case, name)
    return None if value is None else parse_time(text_of(value, what=name))


def _field(case: Case, name: str) -> JsonValue:
    """Return a field that matters to the verdict; raises CouldNotCheckError when the evidence hides it."""
    schema = case.evidence.schema
    if name in schema.public:
        return case.entry.claim.public.get(name)
    if name in case.disclosed:
        return case.shown.get(name)
    # Hiding a field must not help: a verdict that depends on it cannot do without this step.
    case.required.add(KIND_STEP)
    raise CouldNotCheckError(f"The field {name} is not shown.")


_PROCEDURE: tuple[tuple[int, Callable[[Case], str]], ...] = (
    (2, open_fields),
    (3, hash_entry),
    (4, include_leaf),
    (5, check_checkpoint),
    (6, check_anchors),
    (7, check_standing),
    (8, check_kind),
)


def _run(number: int, check: Callable[[Case], str], case: Case) -> Step:
    try:
        return _step(number, PASS, check(case))
    except CouldNotCheckError as error:
        return _step(number, COULD_NOT_CHECK, error.text)
    except LedgerError as error:
        return _step(number, FAIL, error.text)


def _step(number: int, outcome: Outcome, detail: str) -> Step:
    return Step(number, STEPS[number], outcome, detail)


def _conclude(case: Case, steps: tuple[Step, ...]) -> Verdict:
    result, reason = _judge(case, steps)
    optional = [
        f"Step {step.number} ({step.name}), which the trust file does not require: {step.detail}"
        for step in steps
        if step.outcome == COULD_NOT_CHECK and step.number not in case.required
    ]
    question = case.question
    return Verdict(
        result=result,
        reason=reason,
        scope=_scope(case),
        steps=steps,
        not_proven=(*NEVER_PROVEN, *case.not_proven, *optional),
        record=_record(case),
        interval=case.interval,
        at=question.at,
        known_at=question.known_at,
        checked_at=question.now,
    )


def _judge(case: Case, steps: tuple[Step, ...]) -> tuple[Result, str]:
    for step in steps:
        if step.outcome == FAIL:
            return "invalid", f"Step {step.number} ({step.name}) failed: {step.detail}"
    # Showing no fields narrows the scope of the verdict instead of withholding it. And whoever holds a revoked
    # record must not get a better answer by hiding a field: what the kind adds could only make it worse.
    needless = {FIELDS_STEP} if case.state == ACTIVE else {FIELDS_STEP, KIND_STEP}
    for step in steps:
        if step.outcome == COULD_NOT_CHECK and step.number in case.required - needless:
            return "unknown", f"Step {step.number} ({step.name}) could not be checked: {step.detail}"
    if case.state != ACTIVE:
        return cast("Result", case.state), f"The record is {case.state} at the asked date."
    if case.expired:
        return "expired", "The record's validity period is over at the asked date."
    return "valid", "Every required step passed."


def _scope(case: Case) -> Scope:
    if len(case.disclosed) == len(case.evidence.schema.private):
        return "all fields"
    return "some fields" if case.disclosed else "entry only"


def _record(case: Case) -> dict[str, JsonValue] | None:
    if case.pointer.index > MAX_INTEGER:
        # A proof may count further than our JSON does. No log holds such an entry: step 4 has failed.
        return None
    claim = case.entry.claim
    pointer = format_pointer(case.pointer)
    assert isinstance(pointer, dict)
    return {
        **pointer,
        "id": claim.id,
        "org": claim.org,
        "issuer": None if case.trusted is None else case.trusted.issuer_name,
        "kind": claim.kind,
        "accepted": format_time(case.entry.accepted),
        "target": format_pointer(claim.target),
        "previous": format_pointer(claim.previous),
        "public": claim.public,
        "fields": case.shown,
    }


def _unparsed(question: Question, error: LedgerError) -> Verdict:
    steps = [_step(1, FAIL, error.text)]
    steps += [_step(number, COULD_NOT_CHECK, "The evidence does not parse.") for number, _ in _PROCEDURE]
    return Verdict(
        result="invalid",
        reason=f"Step 1 ({STEPS[1]}) failed: {error.text}",
        scope="entry only",
        steps=tuple(steps),
        not_proven=NEVER_PROVEN,
        record=None,
        interval=None,
        at=question.at,
        known_at=question.known_at,
        checked_at=question.now,
    )
