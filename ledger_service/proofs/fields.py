"""The field commitment: private fields behind one hash, any subset of which can be shown (design section 5).

    field salt = HMAC-SHA256(record salt, "audit-ledger/field/v1" || 0x00 || name)
    leaf       = canonical [field salt, name, value]        value null: the record has no such field
    commitment = SHA-256(0x02 || canonical ["audit-ledger/commitment/v1", log, kind, id, schema, [names...], root])

The tree root is RFC 9162's over one leaf for each name of the schema. Names and their number are hashed too, so
that no inner node passes for a leaf; log, kind and id are hashed so that no opening fits another entry.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from ledger_service.errors import CommitmentError, MalformedError
from ledger_service.proofs.canonical import JsonValue, decode_base64url, encode, encode_base64url
from ledger_service.proofs.merkle import tree_root_of
from ledger_service.proofs.schema import Schema

COMMITMENT_VERSION = "audit-ledger/commitment/v1"
SALT_SIZE = 32
# Shallow enough that evidence, receipt and verdict can carry the value and stay within canonical.MAX_DEPTH.
MAX_FIELD_DEPTH = 24

_FIELD_LABEL = b"audit-ledger/field/v1\x00"


def commit_fields(
    values: Mapping[str, JsonValue], *, salt: bytes, schema: Schema, log: str, id: str
) -> bytes:
    """Return the 32-byte commitment to the private fields `values`; an absent field is a missing key.

    `salt` is the record's 32 random bytes. Raises MalformedError for a null, a field that the schema does not
    name, a value without canonical form, or a schema without private fields.
    """
    leaves = [sha256(b"\x00" + leaf).digest() for leaf in _leaves(values, salt, schema)]
    return _commitment(leaves, schema=schema, log=log, id=id)


def disclose_fields(
    values: Mapping[str, JsonValue], *, salt: bytes, schema: Schema, names: Collection[str]
) -> list[JsonValue]:
    """Return the `fields` of evidence: `[salt, name, value]` for each of `names`, the leaf hash for the others."""
    if unknown := set(names) - set(schema.private):
        raise MalformedError("The schema has no such private field.", names=sorted(unknown))
    items: list[JsonValue] = []
    for name, leaf in zip(schema.private, _leaves(values, salt, schema), strict=True):
        if name in names:
            items.append([encode_base64url(_field_salt(salt, name)), name, values.get(name)])
        else:
            items.append(encode_base64url(sha256(b"\x00" + leaf).digest()))
    return items


def check_fields(
    items: Sequence[JsonValue], *, commitment: bytes, schema: Schema, log: str, id: str
) -> dict[str, JsonValue]:
    """Return the disclosed fields that the record has, once the items open `commitment`.

    `schema` must be the one whose hash stands in the entry. Raises CommitmentError.
    """
    if len(items) != len(schema.private):
        raise CommitmentError(
            f"The schema has {len(schema.private)} private fields, {len(items)} are stated."
        )
    leaves: list[bytes] = []
    shown: dict[str, JsonValue] = {}
    try:
        for name, item in zip(schema.private, items, strict=True):
            if isinstance(item, str):
                leaves.append(decode_base64url(item, size=SALT_SIZE))
                continue
            value = _disclosed_value(item, name)
            leaves.append(sha256(b"\x00" + encode(item)).digest())
            if value is not None:
                shown[name] = value
        stated = _commitment(leaves, schema=schema, log=log, id=id)
    except MalformedError as error:
        raise CommitmentError(error.text) from error
    if stated != commitment:
        raise CommitmentError
    return shown


def _disclosed_value(item: JsonValue, name: str) -> JsonValue:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[0], str):  # noqa: PLR2004
        raise MalformedError("A field is neither a leaf hash nor [salt, name, value].")
    if item[1] != name:
        raise MalformedError(f"The schema has the field {name} at this place, not the one stated.")
    decode_base64url(item[0], size=SALT_SIZE)
    value: JsonValue = item[2]
    return value


def _leaves(values: Mapping[str, JsonValue], salt: bytes, schema: Schema) -> list[bytes]:
    if len(salt) != SALT_SIZE:
        raise MalformedError(f"A record salt has {SALT_SIZE} bytes.")
    leaves = []
    present = 0
    for name in schema.private:
        value = values.get(name)
        if value is not None:
            present += 1
        field_salt = encode_base64url(_field_salt(salt, name))
        leaves.append(
            b'["%b","%b",%b]' % (field_salt.encode(), name.encode(), encode(value, max_depth=MAX_FIELD_DEPTH))
        )
    if present != len(values):
        raise MalformedError("A private field is null or not in the schema.")
    return leaves


def _field_salt(salt: bytes, name: str) -> bytes:
    return hmac.digest(salt, _FIELD_LABEL + name.encode(), "sha256")


def _commitment(leaves: Sequence[bytes], *, schema: Schema, log: str, id: str) -> bytes:
    if not leaves:
        raise MalformedError("A kind without private fields has no commitment.")
    root = encode_base64url(tree_root_of(leaves))
    parts = [COMMITMENT_VERSION, log, schema.kind, id, schema.hash_text, schema.private, root]
    return sha256(b"\x02" + encode(parts)).digest()
