"""The client: what is sent is recorded once, and what comes back is checked before it is returned."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from ledger_service.client.memory import SeenCheckpoints
from ledger_service.client.problems import error_of
from ledger_service.client.transport import Transport
from ledger_service.errors import (
    CommitmentError,
    ConsistencyError,
    CouldNotCheckError,
    EvidenceError,
    LedgerError,
    MalformedError,
    NotReadyError,
    NotSequencedError,
    UsageError,
)
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.merkle import check_consistency, leaf_hash
from ledger_service.proofs.policy import check_policy, parse_policy
from ledger_service.proofs.receipt import check_receipt, parse_receipt
from ledger_service.proofs.trust import parse_trust
from ledger_service.proofs.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ledger_service.proofs.checkpoint import Checkpoint
    from ledger_service.proofs.entry import Entry
    from ledger_service.proofs.policy import Policy
    from ledger_service.proofs.receipt import Receipt
    from ledger_service.proofs.types import LeafHash
    from ledger_service.proofs.verdict import Verdict

PART_ROWS: Final = 1_000
_KEY: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
_GOOD: Final = range(200, 300)
_ACCEPTED: Final = 202
_REPEATED: Final = 200
_OURS: Final = range(400, 500)
# Tells the service what to do with the fields, and is none of them.
_SWITCHES: Final = frozenset({"publish_digest"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record whose receipt was checked. `receipt` is what to keep: it proves without the service."""

    id: str
    log: str
    index: int
    repeated: bool
    checkpoint: Checkpoint
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row, counted from 1: the id of its record, or why there is none."""

    row: int
    id: str | None
    repeated: bool
    error: LedgerError | None


@dataclass(frozen=True, slots=True)
class RecordState:
    """How far a record has come, as the service says; nothing but that it speaks of this record is checked."""

    id: str
    log: str
    kind: str
    stage: str
    status: str
    index: int | None


class LedgerClient:
    """One organization at one ledger. Any number of threads may use one."""

    def __init__(
        self,
        url: str,
        *,
        org: str,
        key: str | None = None,
        policies: Sequence[bytes] = (),
        seen: Path | None = None,
        patience_s: float = 60.0,
        timeout_s: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask the service at `url`.

        `policies` are the C2SP policies of the logs that are believed, from elsewhere than the service; what
        no policy covers is refused. `seen` is the file in which the largest checkpoint of each log is
        remembered. Requests are repeated for `patience_s` seconds. Raises UsageError, MalformedError.
        """
        self._transport = Transport(url, key=key, patience_s=patience_s, timeout_s=timeout_s, pause=pause)
        self._org = org
        self._policies = tuple(parse_policy(each) for each in policies)
        self._seen = SeenCheckpoints(seen)
        self._patience_s = patience_s
        self._pause = pause

    def record(self, word: str, payload: Mapping[str, Any], *, idempotency_key: str) -> Recorded:
        """Record one fact, such as one of `purchases`, and return its checked receipt.

        The same key and payload again give the same record. Raises what the service names; NotSequencedError
        when it is safe but not in the log in time; and, when the answer is not to be believed,
        EvidenceError, CommitmentError, InclusionError, SignatureError, PolicyError, ConsistencyError.
        """
        path = f"/v1/orgs/{quote(self._org, safe='')}/{quote(word, safe='')}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": _check_key(idempotency_key)}
        body = json.dumps(payload, ensure_ascii=False).encode()
        deadline = time.monotonic() + self._patience_s
        repeated = False
        while True:
            answer = self._transport.request("POST", path, body=body, headers=headers)
            if answer.status != _ACCEPTED:
                break
            if time.monotonic() > deadline:
                raise NotSequencedError("The record is accepted and not in the log yet. Ask again later.")
            self._pause(1.0)
        repeated = answer.status == _REPEATED
        receipt, recorded = self._check_receipt(answer.body, repeated=repeated)
        entry = parse_entry(receipt.entry)
        self._check_pointer(entry, _check_contents(receipt, entry, payload, may_be_gone=repeated))
        return recorded

    def record_many(
        self, word: str, rows: Iterable[Mapping[str, Any]], *, idempotency_key: str
    ) -> Iterator[RowResult]:
        """Record any number of facts, a part at a time; yields what became of each, in order.

        Again from the start under the same key it continues where it was cut off. The log is checked after
        each part; a row's own receipt is what `receipt` returns.
        """
        _check_key(idempotency_key)
        path = f"/v1/orgs/{quote(self._org, safe='')}/{quote(word, safe='')}/bulk"
        source = iter(rows)
        first = 1
        while part := list(islice(source, PART_ROWS)):
            body = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in part)
            lines = self._send_part(path, body, key=f"{idempotency_key}/{first}", rows=len(part))
            origin = next((line["log"] for line in lines if "log" in line), None)
            if origin is not None:
                self.check_log(str(origin).rsplit("/", 1)[-1])
            for number, line in enumerate(lines, first):
                yield _row_result(number, line)
            first += len(part)

    def receipt(self, record_id: str) -> Recorded:
        """The receipt of a record again, checked as `record` does but for its contents."""
        answer = self._transport.request("GET", f"/v1/records/{quote(record_id, safe='')}/receipt")
        _, recorded = self._check_receipt(answer.body, repeated=True)
        if recorded.id != record_id:
            raise EvidenceError("The receipt is of another record.")
        return recorded

    def evidence(self, record_id: str, *, fields: Sequence[str] | None = None) -> bytes:
        """What an outsider needs to check a record, with these private fields disclosed.

        `["all"]` discloses every one. Raises EvidenceError for another record's.
        """
        query = "" if fields is None else "?" + urlencode({"fields": ",".join(fields)}, safe=",")
        found = self._get(f"/v1/records/{quote(record_id, safe='')}/evidence{query}")
        if parse_entry(parse_evidence(found).entry).claim.id != record_id:
            raise EvidenceError("The evidence is of another record.")
        return found

    def status(self, record_id: str) -> RecordState:
        """How far a record has come; what a status is worth is what `verify` says of its evidence."""
        return self._look_up(record_id)[0]

    def find(self, **wanted: str) -> Iterator[RecordState]:
        """The organization's own records, newest first.

        `ref` is its own number of a record; `kind`, `stage`, `status`, `from_` and `to` narrow the list.
        """
        asked = {name.removesuffix("_"): value for name, value in wanted.items()}
        while True:
            page = _object(
                self._get(f"/v1/orgs/{quote(self._org, safe='')}/records?{urlencode(asked)}"),
            )
            try:
                yield from [_state(each) for each in page["records"]]
                cursor = page["cursor"]
            except (KeyError, TypeError):
                raise MalformedError("The service's answer is no page of records.") from None
            if cursor is None:
                return
            asked["cursor"] = str(cursor)

    def check_log(self, collection: str) -> Checkpoint:
        """The newest checkpoint of one of the organization's logs, signed as the policy asks, continuing what was seen.

        Raises ConsistencyError when it does not continue it: the log was forked, or wound back.
        """
        path = f"/logs/{quote(self._org, safe='')}/{quote(collection, safe='')}/checkpoint"
        note = self._get(path)
        policy = self._policy_of(note.partition(b"\n")[0].decode("latin-1"))
        checkpoint = check_policy(note, policy).checkpoint
        self._follow(checkpoint)
        return checkpoint

    def verify(self, evidence: bytes, *, trust: bytes, at: datetime | None = None) -> Verdict:
        """The verdict on evidence, offline, by the policies given and a trust file from elsewhere."""
        log = parse_entry(parse_evidence(evidence).entry).claim.log
        now = datetime.now(UTC)
        return verify(evidence, policy=self._policy_of(log), trust=parse_trust(trust), now=now, at=at)

    def _look_up(self, record_id: str) -> tuple[RecordState, LeafHash]:
        found = _object(self._get(f"/v1/records/{quote(record_id, safe='')}"))
        try:
            data = decode_base64url(found["entry"])
            claim = parse_entry(data).claim
            state = _state(found)
        except (KeyError, TypeError):
            raise MalformedError("The service's answer is not the state of a record.") from None
        if (claim.id, claim.log, claim.kind) != (record_id, state.log, state.kind):
            raise EvidenceError("The state is of another record.")
        return state, leaf_hash(data)

    def _check_pointer(self, entry: Entry, sent: Mapping[str, Any]) -> None:
        """Raise CommitmentError unless what was sent beside the fields is the id of the record pointed at."""
        pointer = entry.claim.target or entry.claim.previous
        if pointer is None and not sent:
            return
        if pointer is None or len(sent) != 1:
            raise CommitmentError("The record does not hold what was sent.")
        state, leaf = self._look_up(str(*sent.values()))
        if (state.log, leaf) != (pointer.log, pointer.leaf):
            raise CommitmentError("The record points at another one than was asked.")

    def _get(self, path: str) -> bytes:
        return self._transport.request("GET", path).body

    def _send_part(self, path: str, body: bytes, *, key: str, rows: int) -> list[dict[str, Any]]:
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        deadline = time.monotonic() + self._patience_s
        while True:
            answer = self._transport.request("POST", path, body=body, headers=headers)
            lines = [_object(line) for line in answer.body.splitlines()]
            whole = len(lines) == rows
            if whole and all(line.get("status") in _GOOD or line.get("status") in _OURS for line in lines):
                return lines
            if time.monotonic() > deadline:
                raise NotReadyError("The service could not finish a part of the rows. Send them again.")
            self._pause(1.0)

    def _check_receipt(self, data: bytes, *, repeated: bool) -> tuple[Receipt, Recorded]:
        receipt = parse_receipt(data)
        claim = parse_entry(receipt.entry).claim
        if claim.org != self._org:
            raise EvidenceError("The receipt is another organization's.")
        entry, verified = check_receipt(receipt, policy=self._policy_of(claim.log))
        self._follow(verified.checkpoint)
        index = int(receipt.proof.index)
        found = Recorded(entry.claim.id, claim.log, index, repeated, verified.checkpoint, data)
        return receipt, found

    def _policy_of(self, origin: str) -> Policy:
        for policy in self._policies:
            if any(key.name == origin for key in policy.logs):
                return policy
        raise CouldNotCheckError("No policy of this client covers the log.", log=origin)

    def _follow(self, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint and the largest one seen are of one history, and remember the larger."""
        seen = self._seen.get(checkpoint.origin)
        if seen is not None:
            first, second = sorted((seen, checkpoint), key=lambda each: each.size)
            proof = () if first.size == second.size else self._ask_consistency(first, second)
            check_consistency(
                first=first.size,
                second=second.size,
                first_root=first.root,
                second_root=second.root,
                proof=proof,
            )
        self._seen.put(checkpoint)

    def _ask_consistency(self, first: Checkpoint, second: Checkpoint) -> tuple[bytes, ...]:
        collection = first.origin.rsplit("/", 1)[-1]
        path = f"/v1/logs/{quote(self._org, safe='')}/{quote(collection, safe='')}/consistency"
        try:
            found = _object(self._get(f"{path}?from={first.size}&to={second.size}"))
            return tuple(decode_base64url(each, size=32) for each in found["proof"])
        except NotReadyError:
            raise
        except (LedgerError, KeyError, TypeError) as error:
            raise ConsistencyError(
                "The service cannot show that the log continues what was seen of it.",
                seen=first.size,
                shown=second.size,
            ) from error


def _check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise UsageError("An idempotency key is 1 to 200 visible ASCII characters.")
    return key


def _check_contents(
    receipt: Receipt, entry: Entry, payload: Mapping[str, Any], *, may_be_gone: bool
) -> Mapping[str, Any]:
    """Return what was sent and is no field of the schema; CommitmentError unless the fields are those sent."""
    private, public = receipt.schema.private, receipt.schema.public
    sent = {name: payload[name] for name in private if name in payload}
    if receipt.opening is not None:
        if dict(receipt.opening.values) != sent:
            raise CommitmentError("The record does not hold what was sent.")
    elif private and not (may_be_gone and entry.claim.commitment is not None):
        # After an erasure a repeated write gets its receipt without the contents.
        raise CommitmentError("The receipt does not open the record.")
    if any(entry.claim.public.get(name) != payload[name] for name in public if name in payload):
        raise CommitmentError("The record does not hold what was sent.")
    return {name: payload[name] for name in payload.keys() - _SWITCHES - {*private, *public}}


def _row_result(number: int, line: dict[str, Any]) -> RowResult:
    if line["status"] in _GOOD:
        return RowResult(number, str(line.get("id")), line["status"] == _REPEATED, None)
    details = line.get("errors")
    error = error_of(line.get("code"), str(line.get("detail")), details if isinstance(details, dict) else {})
    return RowResult(number, None, repeated=False, error=error)


def _state(found: Mapping[str, Any]) -> RecordState:
    index = found["index"]
    return RecordState(
        id=str(found["id"]),
        log=str(found["log"]),
        kind=str(found["kind"]),
        stage=str(found["stage"]),
        status=str(found["status"]),
        index=None if index is None else int(index),
    )


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        raise MalformedError("The service did not answer in JSON.") from None
    if not isinstance(found, dict):
        raise MalformedError("The service did not answer with an object.")
    return found
