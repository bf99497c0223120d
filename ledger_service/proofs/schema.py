"""The schema of a kind of record: which fields are private and which public (design section 5).

`{"kind":"purchase/v1","private":["amount_minor","buyer"],"public":[],"v":"audit-ledger/schema/v1"}`
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import JsonValue, decode, encode, encode_base64url
from ledger_service.proofs.shapes import list_of, object_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA_VERSION = "audit-ledger/schema/v1"
KIND = re.compile(r"[a-z][a-z0-9_]{0,63}/v[1-9][0-9]{0,3}")
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_FIELDS = 256


@dataclass(frozen=True, slots=True)
class Schema:
    """Field names of one kind, each list in ascending byte order; raises MalformedError when they are not.

    `hash` is SHA-256 of the canonical form, `hash_text` the same in base64url as it stands in a claim, and
    `private_json` the canonical list of the private names.
    """

    kind: str
    private: tuple[str, ...]
    public: tuple[str, ...]
    hash: bytes = field(init=False, repr=False, compare=False)
    hash_text: str = field(init=False, repr=False, compare=False)
    private_json: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the names, and compute once what every record of the kind needs."""
        text_of(self.kind, what="The kind", pattern=KIND)
        for names in (self.private, self.public):
            _check_names(names)
        if set(self.private) & set(self.public):
            raise MalformedError("A field is both private and public.")
        digest = sha256(format_schema(self)).digest()
        object.__setattr__(self, "hash", digest)
        object.__setattr__(self, "hash_text", encode_base64url(digest))
        object.__setattr__(self, "private_json", encode(self.private))


def format_schema(schema: Schema) -> bytes:
    """Return the canonical JSON that `schema_hash` hashes."""
    return encode(schema_json(schema))


def parse_schema(data: bytes) -> Schema:
    """Return the schema that `format_schema` writes as `data`; raises MalformedError."""
    return parse_schema_json(decode(data))


def schema_json(schema: Schema) -> dict[str, JsonValue]:
    """Return the schema as a JSON object, as it stands in receipts and evidence."""
    return {"v": SCHEMA_VERSION, "kind": schema.kind, "private": schema.private, "public": schema.public}


def parse_schema_json(value: JsonValue) -> Schema:
    """Return the schema that `schema_json` writes as `value`; raises MalformedError."""
    members = object_of(value, ("v", "kind", "private", "public"), what="The schema")
    if members["v"] != SCHEMA_VERSION:
        raise MalformedError("The schema is of an unknown version.")
    private, public = (
        tuple(text_of(name, what="A field name") for name in list_of(members[side], what=side))
        for side in ("private", "public")
    )
    return Schema(kind=text_of(members["kind"], what="The kind"), private=private, public=public)


def schema_hash(schema: Schema) -> bytes:
    """Return SHA-256 of the schema's canonical form, which every claim of the kind carries."""
    return schema.hash


def _check_names(names: Sequence[str]) -> None:
    if len(names) > MAX_FIELDS:
        raise MalformedError(f"A schema has more than {MAX_FIELDS} fields.")
    for name in names:
        text_of(name, what="A field name", pattern=FIELD_NAME)
    if any(left >= right for left, right in itertools.pairwise(names)):
        raise MalformedError("The field names are not in ascending order, each once.")
