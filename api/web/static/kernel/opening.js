// Entry 0 of every log, which log this is, for ever: ledger_service/proofs/opening.py.

import { equal } from "./bytes.js";
import { encode, encodeBase64url } from "./canonical.js";
import { claimJson, ORGANIZATION, ORIGIN } from "./entry.js";
import { MalformedError } from "./errors.js";
import { formatVkey, parseVkey } from "./note.js";
import { KIND, makeSchema } from "./schema.js";
import { bytesOf, countOf, listOf, objectOf, optional, textOf } from "./shapes.js";

export const OPENING_KIND = "opening/v1";
export const OPENING_SCHEMA = makeSchema(OPENING_KIND, [], ["keys", "kinds", "org", "origin", "predecessor"]);

// What entry 0 of a log fixes; throws MalformedError when the entry is no opening.
export function parseOpening(entry) {
  const members = objectOf(entry.claim.public, OPENING_SCHEMA.public, "The opening");
  const opening = {
    origin: textOf(members.origin, "origin", ORIGIN),
    org: textOf(members.org, "org", ORGANIZATION),
    kinds: listOf(members.kinds, "kinds").map((kind) => textOf(kind, "A kind", KIND)),
    keys: listOf(members.keys, "keys").map((key) => parseVkey(textOf(key, "A key"))),
    predecessor: optional(members.predecessor, parsePredecessor),
  };
  const claim = openingClaim(opening, entry.claim.id);
  if (!equal(encode(claimJson(claim)), encode(claimJson(entry.claim)))) {
    throw new MalformedError("The entry is not the opening of its own log.");
  }
  return opening;
}

const openingClaim = (opening, id) => ({
  log: opening.origin,
  org: opening.org,
  kind: OPENING_KIND,
  schema: OPENING_SCHEMA.hash,
  id,
  commitment: null,
  target: null,
  previous: null,
  tags: [],
  public: {
    origin: opening.origin,
    org: opening.org,
    kinds: opening.kinds,
    keys: opening.keys.map(formatVkey),
    predecessor: optional(opening.predecessor, ({ log, size, root }) => ({
      log,
      size,
      root: encodeBase64url(root),
    })),
  },
});

function parsePredecessor(value) {
  const members = objectOf(value, ["log", "size", "root"], "The predecessor");
  return {
    log: textOf(members.log, "log", ORIGIN),
    size: countOf(members.size, "size", { atLeast: 1 }),
    root: bytesOf(members.root, "root", 32),
  };
}
