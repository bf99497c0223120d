"""The entry: the public bytes of a record, exactly what the log hashes (design section 5).

`{"accepted":...,"by":[],"claim":{...,"v":"audit-ledger/claim/v1"},"v":"audit-ledger/entry/v1"}`
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import (
    JsonValue,
    decode,
    encode,
    encode_base64url,
    format_time,
    parse_time,
)
from ledger_service.proofs.schema import KIND
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, RecordId

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ENTRY_VERSION = "audit-ledger/entry/v1"
CLAIM_VERSION = "audit-ledger/claim/v1"
MAX_ENTRY_SIZE = 65_535

ORIGIN = re.compile(r"[!-*,-~]{1,255}")  # printable ASCII without space and plus: also a signed-note key name
ORGANIZATION = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
RECORD_ID = re.compile(r"[A-Za-z0-9_-]{22,43}")  # 122 random bits or more in base64url
ALGORITHM = re.compile(r"[a-z0-9-]{1,32}")
# Kinds that say something about another record and mean nothing without it. An erasure's targets are private.
TARGETED = frozenset({"refund", "status", "correction"})

_CLAIM_MEMBERS = (
    "v", "log", "org", "kind", "schema", "id", "commitment", "target", "previous", "tags", "public",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pointer:
    """One entry of one log: what everything that speaks of a record uses, never its id alone."""

    log: Origin
    index: LeafIndex
    leaf: LeafHash


@dataclass(frozen=True, slots=True)
class Author:
    """An author's signature over `claim_digest` under a domain that `alg` fixes."""

    key: bytes
    alg: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What the record says in public. Raises MalformedError when a member is not in its form.

    `schema` is the 32-byte schema hash, `commitment` 32 bytes or None for a kind without private fields,
    `tags` 16-byte values in ascending order, `public` codes and references only.
    """

    log: Origin
    org: str
    kind: str
    schema: bytes
    id: RecordId
    commitment: bytes | None
    target: Pointer | None
    previous: Pointer | None
    tags: tuple[bytes, ...]
    public: Mapping[str, JsonValue]

    def __post_init__(self) -> None:
        """Check every member here, so that no claim exists that could not be parsed again."""
        _check_pattern(ORIGIN, self.log, "log")
        _check_pattern(ORGANIZATION, self.org, "org")
        _check_pattern(KIND, self.kind, "kind")
        _check_pattern(RECORD_ID, self.id, "id")
        if len(self.schema) != 32 or (self.commitment is not None and len(self.commitment) != 32):  # noqa: PLR2004
            raise MalformedError("A hash of the claim is not 32 bytes long.")
        if self.tags:
            _check_tags(self.tags)
        if self.target is None and self.kind.partition("/")[0] in TARGETED:
            raise MalformedError("An entry of this kind needs a target.", kind=self.kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim, when the operator says it was accepted (aware UTC, whole seconds), and who signed it."""

    claim: Claim
    accepted: datetime
    by: tuple[Author, ...] = ()


def format_entry(entry: Entry) -> bytes:
    """Return the entry's bytes; raises MalformedError when they are too many or not canonical."""
    data = encode(
        {
            "v": ENTRY_VERSION,
            "claim": _claim_json(entry.claim),
            "accepted": format_time(entry.accepted),
            "by": [_author_json(author) for author in entry.by],
        }
    )
    if len(data) > MAX_ENTRY_SIZE:
        raise MalformedError(f"The entry is larger than {MAX_ENTRY_SIZE} bytes.")
    return data


def parse_entry(data: bytes) -> Entry:
    """Return the entry that `format_entry` writes as `data`; raises MalformedError."""
    if len(data) > MAX_ENTRY_SIZE:
        raise MalformedError(f"The entry is larger than {MAX_ENTRY_SIZE} bytes.")
    members = object_of(decode(data), ("v", "claim", "accepted", "by"), what="The entry")
    if members["v"] != ENTRY_VERSION:
        raise MalformedError("The entry is of an unknown version.")
    return Entry(
        claim=_parse_claim(members["claim"]),
        accepted=parse_time(text_of(members["accepted"], what="accepted")),
        by=tuple(_parse_author(item) for item in list_of(members["by"], what="by", at_most=16)),
    )


def claim_digest(claim: Claim) -> bytes:
    """Return SHA-256 of the canonical claim, which authors sign."""
    return sha256(encode(_claim_json(claim))).digest()


def format_pointer(pointer: Pointer | None) -> JsonValue:
    """Return the pointer as JSON `{log, index, leaf}`, or None."""
    if pointer is None:
        return None
    return {"log": pointer.log, "index": pointer.index, "leaf": encode_base64url(pointer.leaf)}


def parse_pointer(value: JsonValue) -> Pointer:
    """Return the pointer that `format_pointer` writes as `value`; raises MalformedError."""
    members = object_of(value, ("log", "index", "leaf"), what="A pointer")
    return Pointer(
        log=Origin(text_of(members["log"], what="log", pattern=ORIGIN)),
        index=LeafIndex(integer_of(members["index"], what="index")),
        leaf=LeafHash(bytes_of(members["leaf"], what="leaf", size=32)),
    )


def _claim_json(claim: Claim) -> dict[str, JsonValue]:
    return {
        "v": CLAIM_VERSION,
        "log": claim.log,
        "org": claim.org,
        "kind": claim.kind,
        "schema": encode_base64url(claim.schema),
        "id": claim.id,
        "commitment": None if claim.commitment is None else encode_base64url(claim.commitment),
        "target": format_pointer(claim.target),
        "previous": format_pointer(claim.previous),
        "tags": [encode_base64url(tag) for tag in claim.tags],
        "public": claim.public,
    }


def _parse_claim(value: JsonValue) -> Claim:
    members = object_of(value, _CLAIM_MEMBERS, what="The claim")
    if members["v"] != CLAIM_VERSION:
        raise MalformedError("The claim is of an unknown version.")
    public = members["public"]
    if not isinstance(public, dict):
        raise MalformedError("The public fields are not an object.")
    commitment, target, previous = members["commitment"], members["target"], members["previous"]
    return Claim(
        log=Origin(text_of(members["log"], what="log")),
        org=text_of(members["org"], what="org"),
        kind=text_of(members["kind"], what="kind"),
        schema=bytes_of(members["schema"], what="schema", size=32),
        id=RecordId(text_of(members["id"], what="id")),
        commitment=None if commitment is None else bytes_of(commitment, what="commitment", size=32),
        target=None if target is None else parse_pointer(target),
        previous=None if previous is None else parse_pointer(previous),
        tags=tuple(bytes_of(tag, what="A tag", size=16) for tag in list_of(members["tags"], what="tags")),
        public=public,
    )


def _author_json(author: Author) -> JsonValue:
    return {"key": encode_base64url(author.key), "alg": author.alg, "sig": encode_base64url(author.sig)}


def _parse_author(value: JsonValue) -> Author:
    members = object_of(value, ("key", "alg", "sig"), what="An author")
    return Author(
        key=bytes_of(members["key"], what="key"),
        alg=text_of(members["alg"], what="alg", pattern=ALGORITHM),
        sig=bytes_of(members["sig"], what="sig"),
    )


def _check_pattern(pattern: re.Pattern[str], value: str, what: str) -> None:
    if pattern.fullmatch(value) is None:
        raise MalformedError(f"The claim's {what} is not in its form.")


def _check_tags(tags: tuple[bytes, ...]) -> None:
    ascending = all(left < right for left, right in itertools.pairwise(tags))
    if not ascending or any(len(tag) != 16 for tag in tags):  # noqa: PLR2004
        raise MalformedError("The tags are not 16-byte values in ascending order, each once.")
