"""The field commitment: private fields behind one hash, any subset of which can be shown (design section 5).

    field salt = HMAC-SHA256(record salt, "audit-ledger/field/v1" || 0x00 || name)
    leaf       = canonical [field salt, name, value]        value null: the record has no such field
    commitment = SHA-256(0x02 || canonical [version, log, kind, id, schema, [names...], tree root])

The tree is RFC 9162's over one leaf for each name of the schema. The names are hashed too, so that no inner
node passes for a leaf; log, kind and id are hashed, so that no opening fits another entry.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_service.errors import CommitmentError, MalformedError
from ledger_service.proofs.canonical import JsonValue, decode_base64url, encode, encode_base64url
from ledger_service.proofs.merkle import tree_root_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ledger_service.proofs.schema import Schema

COMMITMENT_VERSION = "audit-ledger/commitment/v1"
SALT_SIZE = 32
# Shallow enough that evidence, receipt and verdict can carry the value and stay within canonical.MAX_DEPTH.
MAX_FIELD_DEPTH = 24

_FIELD_LABEL = b"audit-ledger/field/v1\x00"
_BLOCK_SIZE = 64  # of SHA-256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def commit_fields(
    values: Mapping[str, JsonValue],
    *,
    salt: bytes,
    schema: Schema,
    log: str,
    id: str,  # noqa: A002 - the claim's own word
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
    """Return the `fields` of evidence: `[salt, name, value]` for `names`, the leaf hash for the others."""
    if unknown := set(names) - set(schema.private):
        raise MalformedError("The schema has no such private field.", names=sorted(unknown))
    items: list[JsonValue] = []
    leaves = _leaves(values, salt, schema)
    for name, field_salt, leaf in zip(schema.private, _field_salts(salt, schema), leaves, strict=True):
        if name in names:
            items.append([field_salt.decode(), name, values.get(name)])
        else:
            items.append(encode_base64url(sha256(b"\x00" + leaf).digest()))
    return items


def check_fields(
    items: Sequence[JsonValue],
    *,
    commitment: bytes,
    schema: Schema,
    log: str,
    id: str,  # noqa: A002 - the claim's own word
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
    present = len(schema.private)
    leaves = []
    for name, field_salt in zip(schema.private, _field_salts(salt, schema), strict=True):
        value = values.get(name)
        if value is None:
            present -= 1
            leaves.append(b'["%b","%b",null]' % (field_salt, name.encode()))
        else:
            text = encode(value, max_depth=MAX_FIELD_DEPTH)
            leaves.append(b'["%b","%b",%b]' % (field_salt, name.encode(), text))
    if present != len(values):
        raise MalformedError("A private field is null or not in the schema.")
    return leaves


def _field_salts(salt: bytes, schema: Schema) -> list[bytes]:
    """Return HMAC-SHA256(salt, label || name) of each name in base64url.

    Spelled out after RFC 2104, because `hmac.digest` prepares the same key again for every field, and this is
    the hottest loop of bulk intake.
    """
    padding = bytes(_BLOCK_SIZE - SALT_SIZE)
    inner = (salt + padding).translate(_INNER) + _FIELD_LABEL
    outer = (salt + padding).translate(_OUTER)
    return [
        encode_base64url(sha256(outer + sha256(inner + name.encode()).digest()).digest()).encode()
        for name in schema.private
    ]


def _commitment(leaves: Sequence[bytes], *, schema: Schema, log: str, id: str) -> bytes:  # noqa: A002
    if not leaves:
        raise MalformedError("A kind without private fields has no commitment.")
    head = encode([COMMITMENT_VERSION, log, schema.kind, id, schema.hash_text])
    root = encode_base64url(tree_root_of(leaves)).encode()
    return sha256(b'\x02%b,%b,"%b"]' % (head[:-1], schema.private_json, root)).digest()
