"""Entry 0 of every log: which log this is, for ever (design section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import JsonValue, encode_base64url
from ledger_service.proofs.entry import ORGANIZATION, ORIGIN, Claim, Entry
from ledger_service.proofs.note import VerifierKey, format_vkey, parse_vkey
from ledger_service.proofs.schema import KIND, Schema
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.types import Origin, RecordId, RootHash, TreeSize

OPENING_KIND: Final = "opening/v1"
OPENING_SCHEMA: Final = Schema(
    kind=OPENING_KIND, private=(), public=("keys", "kinds", "org", "origin", "predecessor")
)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The last checkpoint of the log that this one continues."""

    log: Origin
    size: TreeSize
    root: RootHash


@dataclass(frozen=True, slots=True)
class LogOpening:
    """What entry 0 fixes: origin, organization, the kinds the log holds, its keys (Ed25519 first)."""

    origin: Origin
    org: str
    kinds: tuple[str, ...]
    keys: tuple[VerifierKey, ...]
    predecessor: Predecessor | None = None


def opening_claim(opening: LogOpening, *, id: RecordId) -> Claim:  # noqa: A002 - the claim's own word
    """Return the claim of entry 0; raises MalformedError."""
    before = opening.predecessor
    return Claim(
        log=opening.origin,
        org=opening.org,
        kind=OPENING_KIND,
        schema=OPENING_SCHEMA.hash,
        id=id,
        commitment=None,
        target=None,
        previous=None,
        tags=(),
        public={
            "origin": opening.origin,
            "org": opening.org,
            "kinds": list(opening.kinds),
            "keys": [format_vkey(key) for key in opening.keys],
            "predecessor": None
            if before is None
            else {"log": before.log, "size": before.size, "root": encode_base64url(before.root)},
        },
    )


def parse_opening(entry: Entry) -> LogOpening:
    """Return what entry 0 of a log fixes; raises MalformedError when the entry is no opening."""
    public = object_of(entry.claim.public, OPENING_SCHEMA.public, what="The opening")
    opening = LogOpening(
        origin=Origin(text_of(public["origin"], what="origin", pattern=ORIGIN)),
        org=text_of(public["org"], what="org", pattern=ORGANIZATION),
        kinds=tuple(
            text_of(kind, what="A kind", pattern=KIND) for kind in list_of(public["kinds"], what="kinds")
        ),
        keys=tuple(parse_vkey(text_of(key, what="A key")) for key in list_of(public["keys"], what="keys")),
        predecessor=None if public["predecessor"] is None else _parse_predecessor(public["predecessor"]),
    )
    if opening_claim(opening, id=entry.claim.id) != entry.claim:
        raise MalformedError("The entry is not the opening of its own log.")
    return opening


def _parse_predecessor(value: JsonValue) -> Predecessor:
    members = object_of(value, ("log", "size", "root"), what="The predecessor")
    return Predecessor(
        log=Origin(text_of(members["log"], what="log", pattern=ORIGIN)),
        size=TreeSize(integer_of(members["size"], what="size", at_least=1)),
        root=RootHash(bytes_of(members["root"], what="root", size=32)),
    )
