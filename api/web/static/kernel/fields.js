// The field commitment, private fields behind one hash: ledger_service/proofs/fields.py.

import { concat, equal, sha256, utf8 } from "./bytes.js";
import { decodeBase64url, encode, encodeBase64url } from "./canonical.js";
import { CommitmentError, MalformedError } from "./errors.js";
import { leafHash, treeRootOf } from "./merkle.js";

export const COMMITMENT_VERSION = "audit-ledger/commitment/v1";
export const SALT_SIZE = 32;
export const MAX_FIELD_DEPTH = 24;

const LABEL = utf8("audit-ledger/field/v1\0");
const BLOCK_SIZE = 64;
const COMMITTED = Uint8Array.of(2);

// The disclosed fields that the record has, as a Map, once the items open `commitment`; throws CommitmentError.
export function checkFields(items, { commitment, schema, log, id }) {
  if (items.length !== schema.private.length) {
    throw new CommitmentError(
      `The schema has ${schema.private.length} private fields, ${items.length} are stated.`,
    );
  }
  const shown = new Map();
  let stated;
  try {
    const leaves = schema.private.map((name, at) => leafOf(items[at], name, shown));
    stated = commitLeaves(leaves, { schema, log, id });
  } catch (error) {
    if (error instanceof MalformedError) throw new CommitmentError(error.message);
    throw error;
  }
  if (!equal(stated, commitment)) throw new CommitmentError();
  return shown;
}

function leafOf(item, name, shown) {
  if (typeof item === "string") return decodeBase64url(item, SALT_SIZE);
  if (!Array.isArray(item) || item.length !== 3 || typeof item[0] !== "string") {
    throw new MalformedError("A field is neither a leaf hash nor [salt, name, value].");
  }
  if (item[1] !== name) {
    throw new MalformedError(`The schema has the field ${name} at this place, not the one stated.`);
  }
  decodeBase64url(item[0], SALT_SIZE);
  const leaf = leafHash(encode(item));
  if (item[2] !== null) shown.set(name, item[2]);
  return leaf;
}

function commitLeaves(leaves, { schema, log, id }) {
  if (leaves.length === 0) throw new MalformedError("A kind without private fields has no commitment.");
  const root = encodeBase64url(treeRootOf(leaves));
  const committed = [COMMITMENT_VERSION, log, schema.kind, id, schema.hashText, schema.private, root];
  return sha256(COMMITTED, encode(committed));
}

// The commitment to `values` (an object; an absent field is a missing key) under the record's salt.
export function commitFields(values, { salt, schema, log, id }) {
  const leaves = fieldLeaves(values, salt, schema).map((item) => leafHash(encode(item)));
  return commitLeaves(leaves, { schema, log, id });
}

// The `fields` of evidence: [salt, name, value] for `names`, the leaf hash for the others.
export function discloseFields(values, { salt, schema, names }) {
  if (!names.every((name) => schema.private.includes(name))) {
    throw new MalformedError("The schema has no such private field.");
  }
  return fieldLeaves(values, salt, schema).map((item) =>
    names.includes(item[1]) ? item : encodeBase64url(leafHash(encode(item))),
  );
}

function fieldLeaves(values, salt, schema) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null) throw new MalformedError("A private field is null: an absent one is a missing key.");
    encode(value, MAX_FIELD_DEPTH);
    if (!schema.private.includes(name)) throw new MalformedError("A private field is not in the schema.");
  }
  if (salt.length !== SALT_SIZE) throw new MalformedError(`A record salt has ${SALT_SIZE} bytes.`);
  return schema.private.map((name) => [
    encodeBase64url(hmac(salt, concat(LABEL, utf8(name)))),
    name,
    Object.hasOwn(values, name) ? values[name] : null,
  ]);
}

// HMAC-SHA256 (RFC 2104) under a key no longer than a block.
function hmac(key, message) {
  const pad = (byte) => {
    const block = new Uint8Array(BLOCK_SIZE).fill(byte);
    key.forEach((value, at) => {
      block[at] ^= value;
    });
    return block;
  };
  return sha256(pad(0x5c), sha256(pad(0x36), message));
}
