// The receipt, what a writer gets back and keeps: ledger_service/proofs/receipt.py.

import { equal } from "./bytes.js";
import { decode, encode, encodeBase64url } from "./canonical.js";
import { parseEntry } from "./entry.js";
import { CommitmentError, EvidenceError, MalformedError } from "./errors.js";
import { EVIDENCE_VERSION } from "./evidence.js";
import { commitFields, discloseFields, SALT_SIZE } from "./fields.js";
import { parseSchemaJson } from "./schema.js";
import { bytesOf, isObject, objectOf, optional, textOf } from "./shapes.js";

export const RECEIPT_VERSION = "audit-ledger/receipt/v1";

// The receipt in `data`; throws MalformedError.
export function parseReceipt(data) {
  const members = objectOf(decode(data), ["v", "entry", "schema", "opening", "proof"], "The receipt");
  if (members.v !== RECEIPT_VERSION) throw new MalformedError("The receipt is of an unknown version.");
  return {
    entry: bytesOf(members.entry, "entry"),
    schema: parseSchemaJson(members.schema),
    opening: optional(members.opening, parseOpening),
    proof: textOf(members.proof, "proof"),
    schemaJson: members.schema,
  };
}

function parseOpening(value) {
  const members = objectOf(value, ["salt", "values"], "The opening");
  if (!isObject(members.values)) throw new MalformedError("The values are not an object.");
  return { salt: bytesOf(members.salt, "salt", SALT_SIZE), values: members.values };
}

// Evidence that shows what the receipt knows: every field, no anchor, no status. Throws when its opening is not the
// entry's, so that nothing is shown that the record does not hold.
export function receiptEvidence(data) {
  const receipt = parseReceipt(data);
  const { claim } = parseEntry(receipt.entry);
  const { schema, opening } = receipt;
  if (claim.kind !== schema.kind || !equal(claim.schema, schema.hash)) {
    throw new EvidenceError("The schema is not the one that the entry names.");
  }
  let fields = null;
  if (opening !== null) {
    const stated = commitFields(opening.values, { ...opening, schema, log: claim.log, id: claim.id });
    if (claim.commitment === null || !equal(stated, claim.commitment)) throw new CommitmentError();
    fields = discloseFields(opening.values, { ...opening, schema, names: schema.private });
  }
  return encode({
    v: EVIDENCE_VERSION,
    entry: encodeBase64url(receipt.entry),
    schema: receipt.schemaJson,
    fields,
    proof: receipt.proof,
    anchors: [],
    status: null,
  });
}
