// The trust file, what a verifier believes beforehand, beside the policy: ledger_service/proofs/trust.py.

import { decode } from "./canonical.js";
import { ORGANIZATION, ORIGIN } from "./entry.js";
import { MalformedError } from "./errors.js";
import { parseVkey } from "./note.js";
import { countOf, hexOf, integerOf, listOf, objectOf, optional, textOf } from "./shapes.js";

export const TRUST_VERSION = "audit-ledger/trust/v1";

const ISSUER_NAME = /^[^\u0000-\u001f\u007f]{1,200}$/u;
const MEMBERS = ["v", "logs", "max_status_age_s", "accepted_tolerance_s", "required"];
const LOG_MEMBERS = [
  "origin", "org", "issuer_name", "status_keys", "acceptance_keys", "head_keys", "anchors",
];
const ANCHOR_MEMBERS = ["chain_id", "genesis_hash", "contract", "code_hash", "log_id", "self_anchored"];
const MAX_SECONDS = 100 * 366 * 86_400;

// The trust that a file states; throws MalformedError.
export function parseTrust(data) {
  const members = objectOf(decode(data), MEMBERS, "The trust file");
  if (members.v !== TRUST_VERSION) throw new MalformedError("The trust file is of an unknown version.");
  const required = listOf(members.required, "required").map((step) =>
    integerOf(step, "A step", { atLeast: 1, atMost: 8 }),
  );
  const logs = listOf(members.logs, "logs").map(parseLog);
  const ascending = required.every((step, at) => at === 0 || required[at - 1] < step);
  if (!ascending || new Set(logs.map(({ origin }) => origin)).size !== logs.length) {
    throw new MalformedError("The trust file repeats a log, or its required steps are not in order.");
  }
  return {
    logs,
    maxStatusAge: integerOf(members.max_status_age_s, "max_status_age_s", { atMost: MAX_SECONDS }),
    acceptedTolerance: integerOf(members.accepted_tolerance_s, "accepted_tolerance_s", { atMost: MAX_SECONDS }),
    required,
  };
}

function parseLog(value) {
  const members = objectOf(value, LOG_MEMBERS, "A trusted log");
  return {
    origin: textOf(members.origin, "origin", ORIGIN),
    org: textOf(members.org, "org", ORGANIZATION),
    issuerName: textOf(members.issuer_name, "issuer_name", ISSUER_NAME),
    statusKeys: parseKeys(members.status_keys),
    acceptanceKeys: parseKeys(members.acceptance_keys),
    headKeys: listOf(members.head_keys, "head_keys").map(parseHeadKey),
    anchors: listOf(members.anchors, "anchors").map(parseAnchor),
  };
}

const parseKeys = (value) => listOf(value, "Keys").map((item) => parseVkey(textOf(item, "A key")));

function parseHeadKey(value) {
  const members = objectOf(value, ["vkey", "from_size", "to_size"], "A head key");
  const fromSize = integerOf(members.from_size, "from_size");
  return {
    key: parseVkey(textOf(members.vkey, "vkey")),
    fromSize: BigInt(fromSize),
    toSize: optional(members.to_size, (size) => countOf(size, "to_size", { atLeast: fromSize })),
  };
}

function parseAnchor(value) {
  const members = objectOf(value, ANCHOR_MEMBERS, "A trusted anchor");
  if (typeof members.self_anchored !== "boolean") throw new MalformedError("self_anchored is not a boolean.");
  return {
    chainId: integerOf(members.chain_id, "chain_id", { atLeast: 1 }),
    genesisHash: hexOf(members.genesis_hash, "genesis_hash", 32),
    contract: hexOf(members.contract, "contract", 20),
    codeHash: hexOf(members.code_hash, "code_hash", 32),
    logId: hexOf(members.log_id, "log_id", 32),
    selfAnchored: members.self_anchored,
  };
}
