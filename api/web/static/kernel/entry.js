// The entry, the public bytes of a record, exactly what the log hashes: ledger_service/proofs/entry.py.

import { compare, sha256 } from "./bytes.js";
import { decode, encode, encodeBase64url, formatTime, parseTime } from "./canonical.js";
import { MalformedError } from "./errors.js";
import { KIND } from "./schema.js";
import { bytesOf, countOf, isObject, listOf, objectOf, optional, textOf } from "./shapes.js";

export const ENTRY_VERSION = "audit-ledger/entry/v1";
export const CLAIM_VERSION = "audit-ledger/claim/v1";
export const MAX_ENTRY_SIZE = 65_535;

export const ORIGIN = /^[!-*,-~]{1,255}$/;
export const ORGANIZATION = /^[a-z0-9][a-z0-9-]{0,63}$/;
const RECORD_ID = /^[A-Za-z0-9_-]{22,43}$/;
const ALGORITHM = /^[a-z0-9-]{1,32}$/;
const TARGETED = ["refund", "status", "correction"];
const CLAIM_MEMBERS = [
  "v", "log", "org", "kind", "schema", "id", "commitment", "target", "previous", "tags", "public",
];

// The entry that `formatEntry` writes as `data`; throws MalformedError.
export function parseEntry(data) {
  if (data.length > MAX_ENTRY_SIZE) {
    throw new MalformedError(`The entry is larger than ${MAX_ENTRY_SIZE} bytes.`);
  }
  const members = objectOf(decode(data), ["v", "claim", "accepted", "by"], "The entry");
  if (members.v !== ENTRY_VERSION) throw new MalformedError("The entry is of an unknown version.");
  return {
    claim: parseClaim(members.claim),
    accepted: parseTime(textOf(members.accepted, "accepted")),
    by: listOf(members.by, "by", 16).map(parseAuthor),
  };
}

export const formatEntry = (entry) =>
  encode({
    v: ENTRY_VERSION,
    claim: claimJson(entry.claim),
    accepted: formatTime(entry.accepted),
    by: entry.by.map((author) => ({
      key: encodeBase64url(author.key),
      alg: author.alg,
      sig: encodeBase64url(author.sig),
    })),
  });

// SHA-256 of the canonical claim, which authors sign.
export const claimDigest = (claim) => sha256(encode(claimJson(claim)));

export const formatPointer = (pointer) =>
  pointer && { log: pointer.log, index: pointer.index, leaf: encodeBase64url(pointer.leaf) };

export function parsePointer(value) {
  const members = objectOf(value, ["log", "index", "leaf"], "A pointer");
  return {
    log: textOf(members.log, "log", ORIGIN),
    index: countOf(members.index, "index"),
    leaf: bytesOf(members.leaf, "leaf", 32),
  };
}

export const claimJson = (claim) => ({
  v: CLAIM_VERSION,
  log: claim.log,
  org: claim.org,
  kind: claim.kind,
  schema: encodeBase64url(claim.schema),
  id: claim.id,
  commitment: optional(claim.commitment, encodeBase64url),
  target: formatPointer(claim.target),
  previous: formatPointer(claim.previous),
  tags: claim.tags.map(encodeBase64url),
  public: claim.public,
});

function parseClaim(value) {
  const members = objectOf(value, CLAIM_MEMBERS, "The claim");
  if (members.v !== CLAIM_VERSION) throw new MalformedError("The claim is of an unknown version.");
  if (!isObject(members.public)) throw new MalformedError("The public fields are not an object.");
  const claim = {
    log: textOf(members.log, "log"),
    org: textOf(members.org, "org"),
    kind: textOf(members.kind, "kind"),
    schema: bytesOf(members.schema, "schema", 32),
    id: textOf(members.id, "id"),
    commitment: optional(members.commitment, (text) => bytesOf(text, "commitment", 32)),
    target: optional(members.target, parsePointer),
    previous: optional(members.previous, parsePointer),
    tags: listOf(members.tags, "tags").map((tag) => bytesOf(tag, "A tag", 16)),
    public: members.public,
  };
  checkClaim(claim);
  return claim;
}

function checkClaim(claim) {
  for (const [name, pattern] of [["log", ORIGIN], ["org", ORGANIZATION], ["kind", KIND], ["id", RECORD_ID]]) {
    if (!pattern.test(claim[name])) throw new MalformedError(`The claim's ${name} is not in its form.`);
  }
  if (claim.tags.some((tag, at) => at > 0 && compare(claim.tags[at - 1], tag) >= 0)) {
    throw new MalformedError("The tags are not 16-byte values in ascending order, each once.");
  }
  if (claim.target === null && TARGETED.includes(claim.kind.split("/")[0])) {
    throw new MalformedError("An entry of this kind needs a target.");
  }
}

function parseAuthor(value) {
  const members = objectOf(value, ["key", "alg", "sig"], "An author");
  return {
    key: bytesOf(members.key, "key"),
    alg: textOf(members.alg, "alg", ALGORITHM),
    sig: bytesOf(members.sig, "sig"),
  };
}
