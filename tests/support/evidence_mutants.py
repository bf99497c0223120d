"""Good and bad evidence without end: parts exchanged, members, bytes and numbers replaced, questions asked otherwise.

`paths`, `reach` and the `swap_` functions take evidence apart three times over: as JSON, as the text of its proof
(lines, signatures), and as the JSON of its entry.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ledger_service.proofs.canonical import decode, decode_base64url, encode, encode_base64url
from ledger_service.proofs.evidence import format_evidence
from ledger_service.proofs.opening import OPENING_SCHEMA
from ledger_service.proofs.policy import NO_QUORUM
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.status import STATES, StatusChange
from ledger_service.proofs.trust import HeadKey
from ledger_service.proofs.types import LeafIndex, TreeSize
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import PURCHASE, EvidenceFactory, join_policies, join_trust

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from ledger_service.proofs.evidence import Evidence
    from ledger_service.proofs.policy import Policy
    from ledger_service.proofs.trust import Trust
    from ledger_service.proofs.verdict import Verdict


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every path into a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from paths(item, (*path, name))


def reach(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path."""
    for name in path:
        value = value[name]
    return value


def swap_json(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each member of one JSON text, at any depth, replaced by the other's."""
    source: Any = decode(other)
    for path in paths(decode(one)):
        value: Any = decode(one)
        try:
            reach(value, path[:-1])[path[-1]] = reach(source, path)
        except (LookupError, TypeError):
            continue
        yield "/".join(map(str, path)), encode(value)


def swap_proof(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each line of the proof, each signature, and the parts above and below its blank lines, replaced."""
    value: Any = decode(one)
    whole: Any = decode(other)
    mine, theirs = value["proof"], whole["proof"]
    for separator in ("\n\n", "\n", " "):
        here, there = mine.split(separator), theirs.split(separator)
        for place in range(min(len(here), len(there))):
            text = separator.join([*here[:place], there[place], *here[place + 1 :]])
            third = separator != "\n\n" and place >= len(here) - 2
            name = f"proof/third line {place}" if third else f"proof/{separator!r} {place}"
            yield name, encode({**value, "proof": text})


def swap_entry(one: bytes, other: bytes) -> Iterator[tuple[str, bytes]]:
    """Each member of the entry replaced."""
    value: Any = decode(one)
    source: Any = decode(other)
    for name, entry in swap_json(decode_base64url(value["entry"]), decode_base64url(source["entry"])):
        yield f"entry/{name}", encode({**value, "entry": encode_base64url(entry)})


SWAPS: tuple[Callable[[bytes, bytes], Iterator[tuple[str, bytes]]], ...] = (swap_json, swap_proof, swap_entry)


@dataclass(frozen=True)
class Mutant:
    """One question: evidence of any bytes, what the verifier believes, and how the evidence was made."""

    how: str
    evidence: bytes
    policy: Policy
    trust: Trust
    now: datetime
    at: datetime
    known_at: datetime
    file_digest: bytes | None

    def judge(self) -> Verdict:
        """The kernel's answer."""
        return verify(
            self.evidence,
            policy=self.policy,
            trust=self.trust,
            now=self.now,
            at=self.at,
            known_at=self.known_at,
            file_digest=self.file_digest,
        )


FILE = b"one file"
# A kind whose fields mean something to step 8, private and public.
_DATASET = Schema(
    kind="dataset/v1",
    private=("file_sha256", "title", "valid_from", "valid_until"),
    public=("published_sha256",),
)
_NUMBERS = ("1.0", "1e3", "-0", "NaN", "Infinity", "-Infinity", "007", "1_0", "+3", str(2**53 - 1), str(2**53),
            str(-(2**53)), str(2**64), "9" * 400, "9" * 5000, "true", "null", '"7"', "[]", "{}", "-", "1.")  # fmt: skip
_TEXTS = ("", " ", "\u0000", "é", "\U0001f600", "0x", "0xAB", "AAAA", "AA==", "=", "2026-02-29T00:00:00Z",
          "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-02T03:04:35+00:00", "__proto__", "constructor",
          "toString", "a" * 300, "revoked", "map", "chain")  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**53 - 1, [], {}, [None], {"a": 1}, {"type": "map"}, {"type": "chain", "x": []},
    {"__proto__": 1}, {"constructor": None}, *_TEXTS,
)  # fmt: skip


class MutantMaker:
    """Draws mutants of the evidence of two organizations' logs; the same draws from the same `rng`."""

    def __init__(self, rng: random.Random) -> None:
        """Make the logs, their records of several kinds, and good evidence of all of them."""
        self.rng = rng
        self.logs = [self._log("one"), self._log("two")]
        self.good = [
            format_evidence(evidence)
            for factory in self.logs
            for index in range(factory.size)
            for evidence in self._evidence(factory, index)
        ]
        self.good += [self._changed(factory, index) for factory in self.logs for index in range(1, 6)]
        self.policy, self.trust = join_policies(self.logs), join_trust(self.logs)
        self.now = self.logs[0].now

    def draw(self) -> Mutant:
        """One more mutant."""
        make = self.rng.choice(_MAKERS)
        how, evidence = make(self)
        now = self.now + self._shift() if self.rng.random() < 0.2 else self.now
        at = now + self._shift() if self.rng.random() < 0.2 else now
        known_at = now + self._shift() if self.rng.random() < 0.1 else now
        digest = self.rng.choice([None] * 6 + [sha256(FILE).digest(), sha256(b"").digest()])
        return Mutant(how, evidence, self._policy(), self._trust(), now, at, known_at, digest)

    def _log(self, org: str) -> EvidenceFactory:
        factory = EvidenceFactory(org, records=9)
        digest = encode_base64url(sha256(FILE).digest())
        factory.schema = _DATASET
        for dated in ({}, {"valid_from": "2026-01-02T03:00:00Z"}, {"valid_until": "2026-01-02T03:06:00Z"}):
            factory.add_record({"title": "Étude \U0001f600", "file_sha256": digest, **dated})
        factory.add_record({"title": "Published"}, public={"published_sha256": digest})
        factory.add_record({"title": "Odd", "valid_until": ["soon"]}, public={"published_sha256": []})
        return factory

    def _evidence(self, factory: EvidenceFactory, index: int) -> Iterator[Evidence]:
        """A record's evidence with no fields, hidden ones, some and all of them shown."""
        kind, names = factory.records[index].entry.claim.kind, sorted(factory.records[index].values)
        factory.schema = next(
            schema for schema in (OPENING_SCHEMA, PURCHASE, _DATASET) if schema.kind == kind
        )
        for shown in (None, [], self.rng.sample(names, len(names) // 2), names):
            yield factory.evidence(index, names=shown)

    def _changed(self, factory: EvidenceFactory, index: int) -> bytes:
        moment = factory.time_of(index + 2)
        change = StatusChange(self.rng.choice(STATES[1:]), moment, moment, "legal", LeafIndex(index + 2))
        *_, evidence = self._evidence(factory, index)
        return format_evidence(replace(evidence, status=factory.status(index, change)))

    def _shift(self) -> timedelta:
        return timedelta(
            seconds=self.rng.choice([-(10**9), -60, -1, 1, 299, 300, 301, 86_400, 86_401, 10**9])
        )

    def _policy(self) -> Policy:
        policies = [self.policy] * 8 + [log.policy for log in self.logs]
        policies += [
            replace(self.policy, quorum=NO_QUORUM),
            replace(self.policy, logs=(self.logs[0].status_vkey,)),
        ]
        return self.rng.choice(policies)

    def _trust(self) -> Trust:
        if self.rng.random() < 0.6:
            return self.trust
        required = tuple(sorted(self.rng.sample(range(1, 9), self.rng.randrange(9))))
        log = self.logs[0].trusted_log
        narrow = HeadKey(log.head_keys[0].key, TreeSize(5), TreeSize(self.rng.randrange(5, 14)))
        changed: dict[str, Any] = self.rng.choice(
            [
                {},
                {"status_keys": ()},
                {"org": "other"},
                {"head_keys": (narrow,)},
                {"head_keys": ()},
                {"anchors": ()},
            ]
        )
        logs = self.rng.choice([self.trust.logs, (), (replace(log, **changed),)])
        return replace(
            self.trust, logs=logs, required=required, accepted_tolerance_s=self.rng.choice([0, 5, 300])
        )

    def whole(self) -> tuple[str, bytes]:
        """Good evidence."""
        return "whole", self.rng.choice(self.good)

    def swapped(self) -> tuple[str, bytes]:
        """A part of one record's evidence in another's."""
        one, other = self.rng.choices(self.good, k=2)
        return self.rng.choice(list(self.rng.choice(SWAPS)(one, other)) or [("whole", one)])

    def replaced(self) -> tuple[str, bytes]:
        """Any member replaced by any JSON, or left out."""
        value: Any = decode(self.rng.choice(self.good))
        return "replaced", encode(self._replace_in(value))

    def entry(self) -> tuple[str, bytes]:
        """Any member of the entry replaced; sometimes in the log as well, so that only the claim is odd."""
        value: Any = decode(self.rng.choice(self.good))
        inner = encode(self._replace_in(decode(decode_base64url(value["entry"]))))
        return "entry", encode({**value, "entry": encode_base64url(inner)})

    def _replace_in(self, value: Any) -> Any:
        *path, last = self.rng.choice(list(paths(value)))
        holder = reach(value, tuple(path))
        if self.rng.random() < 0.2 and isinstance(holder, dict):
            del holder[last]
        else:
            holder[last] = self.rng.choice(_VALUES)
        return value

    def bytes_changed(self) -> tuple[str, bytes]:
        """A few bytes replaced, inserted or cut out, anywhere."""
        data = bytearray(self.rng.choice(self.good))
        for _ in range(self.rng.choice([1, 1, 1, 2, 5])):
            place = self.rng.randrange(len(data))
            cut = self.rng.choice([0, 1, 1, 1, 2, 40])
            data[place : place + cut] = self.rng.randbytes(self.rng.choice([0, 1, 1, 1, 3]))
        return "bytes", bytes(data)

    def tokens(self) -> tuple[str, bytes]:
        """A number or text of the JSON written otherwise."""
        data = self.rng.choice(self.good)
        found = self.rng.choice(list(re.finditer(rb'(?<=[:,\[])(?:-?[0-9]+|"[^"]{0,80}"|null)', data)))
        new = self.rng.choice(
            [*_NUMBERS, *(json.dumps(text) for text in _TEXTS), '"\\ud800"', '"\\u0041"', "[" * 40]
        )
        return "token", data[: found.start()] + new.encode() + data[found.end() :]

    def layout(self) -> tuple[str, bytes]:
        """The same JSON in another form: spaces, doubled or unsorted keys, escapes, a byte order mark."""
        data = self.rng.choice(self.good)
        forms = (
            json.dumps(json.loads(data)).encode(),
            data + b"\n",
            b"\xef\xbb\xbf" + data,
            data.replace(b"{", b'{"a":1,"a":1,', 1),
            data.replace(b'"anchors"', b'"\\u0061nchors"', 1),
            data[: self.rng.randrange(len(data))],
            data.decode().encode("utf-16"),
        )
        return "layout", self.rng.choice(forms)

    def proof(self) -> tuple[str, bytes]:
        """The proof's text changed: lines doubled, dropped, moved, numbers and base64 written otherwise."""
        value: Any = decode(self.rng.choice(self.good))
        lines = value["proof"].split("\n")
        place = self.rng.randrange(len(lines))
        changes = (
            lines[:place] + lines[place + 1 :],
            lines[: place + 1] + lines[place:],
            self.rng.sample(lines, len(lines)),
            [
                *lines[:place],
                lines[place] + self.rng.choice([" ", "=", "\r", "\t", "A", "\u2028"]),
                *lines[place + 1 :],
            ],
            [
                re.sub(r"(?<=^index )\d+", str(self.rng.choice([0, 1, 2**53, 2**63 - 1, 2**63])), line)
                for line in lines
            ],
            [
                re.sub(r"^\d+$", str(self.rng.choice([0, 1, 12, 2**53, 2**63 - 1, 2**63])), line)
                for line in lines
            ],
            [line.replace("/", "_") if at == place else line for at, line in enumerate(lines)],
        )
        return "proof", encode({**value, "proof": "\n".join(self.rng.choice(changes))})

    def times(self) -> tuple[str, bytes]:
        """A time anywhere replaced by another, the calendar's ends among them."""
        data = self.rng.choice(self.good)
        found = self.rng.choice(list(re.finditer(rb"[0-9]{4}-[0-9T:-]{14}Z", data)) or [None])
        if found is None:
            return "whole", data
        seconds = f"{self.rng.randrange(60):02}"
        text = self.rng.choice(
            ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", f"2026-01-02T03:04:{seconds}Z"]
        ).encode()
        everywhere = self.rng.random() < 0.5
        old = found[0]
        if everywhere:
            return "time", data.replace(old, text)
        return "time", data[: found.start()] + text + data[found.end() :]


_MAKERS: tuple[Callable[[MutantMaker], tuple[str, bytes]], ...] = (
    MutantMaker.whole,
    MutantMaker.whole,
    MutantMaker.swapped,
    MutantMaker.swapped,
    MutantMaker.replaced,
    MutantMaker.entry,
    MutantMaker.bytes_changed,
    MutantMaker.tokens,
    MutantMaker.layout,
    MutantMaker.proof,
    MutantMaker.times,
)
