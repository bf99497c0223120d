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
_SALT_CHARS = 43
_COMMITTED = b'\x02["' + COMMITMENT_VERSION.encode() + b'",%b,"%b",%b,"%b",%b,"%b"]'
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
    return commit_texts(_texts(values), salt=salt, schema=schema, log=log, id=id)


def commit_texts(
    texts: Mapping[str, bytes],
    *,
    salt: bytes,
    schema: Schema,
    log: str,
    id: str,  # noqa: A002 - the claim's own word
) -> bytes:
    """Do what `commit_fields` does with values that are in canonical JSON already.

    Nothing looks into `texts` any more: whoever calls vouches for their form.
    """
    leaves = [sha256(b"\x00" + leaf).digest() for leaf in _leaves(texts, _field_salts(salt, schema), schema)]
    return _commitment(leaves, schema=schema, log=log, id=id)


def disclose_fields(
    values: Mapping[str, JsonValue], *, salt: bytes, schema: Schema, names: Collection[str]
) -> list[JsonValue]:
    """Return the `fields` of evidence: `[salt, name, value]` for `names`, the leaf hash for the others."""
    if unknown := set(names) - set(schema.private):
        raise MalformedError("The schema has no such private field.", names=sorted(unknown))
    items: list[JsonValue] = []
    salts = _field_salts(salt, schema)
    leaves = _leaves(_texts(values), salts, schema)
    for name, field_salt, leaf in zip(schema.private, salts, leaves, strict=True):
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


def _texts(values: Mapping[str, JsonValue]) -> dict[str, bytes]:
    if None in values.values():
        raise MalformedError("A private field is null: an absent one is a missing key.")
    return {name: encode(value, max_depth=MAX_FIELD_DEPTH) for name, value in values.items()}


def _leaves(texts: Mapping[str, bytes], salts: Sequence[bytes], schema: Schema) -> list[bytes]:
    names = schema.private
    if not texts.keys() <= set(names):
        raise MalformedError("A private field is not in the schema.")
    return [
        b'["%b","%b",%b]' % (salt, name.encode(), texts.get(name, b"null"))
        for name, salt in zip(names, salts, strict=True)
    ]


def _field_salts(salt: bytes, schema: Schema) -> list[bytes]:
    """Return HMAC-SHA256(salt, label || name) of each name in base64url.

    Spelled out after RFC 2104, because `hmac.digest` prepares the same key again for every field, and this is
    the hottest loop of bulk intake. For the same reason they are encoded together, with a zero byte
    between them: 33 bytes are 44 characters, the last of which belongs to the zero.
    """
    if len(salt) != SALT_SIZE:
        raise MalformedError(f"A record salt has {SALT_SIZE} bytes.")
    padded = salt + bytes(_BLOCK_SIZE - SALT_SIZE)
    inner = padded.translate(_INNER) + _FIELD_LABEL
    outer = padded.translate(_OUTER)
    salts = [sha256(outer + sha256(inner + name.encode()).digest()).digest() for name in schema.private]
    text = encode_base64url(b"\x00".join(salts)).encode()
    return [text[start : start + _SALT_CHARS] for start in range(0, len(text), _SALT_CHARS + 1)]


def _commitment(leaves: Sequence[bytes], *, schema: Schema, log: str, id: str) -> bytes:  # noqa: A002
    if not leaves:
        raise MalformedError("A kind without private fields has no commitment.")
    root = encode_base64url(tree_root_of(leaves)).encode()
    where = (encode(log), schema.kind.encode(), encode(id), schema.hash_text.encode())
    return sha256(_COMMITTED % (*where, schema.private_json, root)).digest()
