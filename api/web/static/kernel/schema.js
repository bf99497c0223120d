// The schema of a kind of record, which fields are private and which public: ledger_service/proofs/schema.py.

import { sha256 } from "./bytes.js";
import { decode, encode, encodeBase64url } from "./canonical.js";
import { MalformedError } from "./errors.js";
import { listOf, objectOf, textOf } from "./shapes.js";

export const SCHEMA_VERSION = "audit-ledger/schema/v1";
export const KIND = /^[a-z][a-z0-9_]{0,63}\/v[1-9][0-9]{0,3}$/;
export const MAX_FIELDS = 256;

const FIELD_NAME = /^[a-z][a-z0-9_]{0,63}$/;

export const parseSchema = (data) => parseSchemaJson(decode(data));

export function parseSchemaJson(value) {
  const members = objectOf(value, ["v", "kind", "private", "public"], "The schema");
  if (members.v !== SCHEMA_VERSION) throw new MalformedError("The schema is of an unknown version.");
  const sides = ["private", "public"].map((side) =>
    listOf(members[side], side).map((name) => textOf(name, "A field name")),
  );
  return makeSchema(textOf(members.kind, "The kind"), ...sides);
}

// Kind and names with the schema's hash, as bytes and as it stands in a claim; throws MalformedError.
export function makeSchema(kind, privateNames, publicNames) {
  textOf(kind, "The kind", KIND);
  for (const names of [privateNames, publicNames]) checkNames(names);
  if (privateNames.some((name) => publicNames.includes(name))) {
    throw new MalformedError("A field is both private and public.");
  }
  const schema = { kind, private: privateNames, public: publicNames };
  const hash = sha256(formatSchema(schema));
  return { ...schema, hash, hashText: encodeBase64url(hash) };
}

export const formatSchema = (schema) => encode(schemaJson(schema));

export const schemaJson = (schema) => ({
  v: SCHEMA_VERSION,
  kind: schema.kind,
  private: schema.private,
  public: schema.public,
});

function checkNames(names) {
  if (names.length > MAX_FIELDS) throw new MalformedError(`A schema has more than ${MAX_FIELDS} fields.`);
  for (const name of names) textOf(name, "A field name", FIELD_NAME);
  if (names.some((name, at) => at > 0 && names[at - 1] >= name)) {
    throw new MalformedError("The field names are not in ascending order, each once.");
  }
}
