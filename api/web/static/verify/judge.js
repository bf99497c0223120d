// From the parts that somebody brought to a verdict, all of it checked here in the browser.

import { hex, sha256, utf8 } from "../kernel/bytes.js";
import { decode, encode } from "../kernel/canonical.js";
import { parseEntry } from "../kernel/entry.js";
import { LedgerError } from "../kernel/errors.js";
import { parseEvidence } from "../kernel/evidence.js";
import { parsePolicy } from "../kernel/policy.js";
import { receiptEvidence } from "../kernel/receipt.js";
import { parseTrust } from "../kernel/trust.js";
import { verify } from "../kernel/verify.js";
import { fetchEvidence, fetchTrust, ServerError } from "./server.js";

// What a verifier believes who knows nothing: no log, and every step that is required by default.
const NOTHING = {
  policy: utf8("quorum none\n"),
  trust: encode({
    accepted_tolerance_s: 300,
    logs: [],
    max_status_age_s: 86_400,
    required: [1, 2, 3, 4, 5, 7],
    v: "audit-ledger/trust/v1",
  }),
};
const STATUS_STEP = 7;

// The verdict, where the keys came from ("own", "server", "nobody"), their fingerprints, whether the status was asked
// of the server just now, and the evidence that was judged.
//
// `parts` has bytes under `evidence` or `receipt`, `policy` and `trust` where the user brought them, and `digest`, the
// SHA-256 of the file that the record should be about.
export async function judge(parts, now) {
  const evidence = parts.evidence ?? receiptEvidence(parts.receipt);
  const { source, documents } = await findTrust(parts, evidence);
  const question = {
    policy: parsePolicy(documents.policy),
    trust: parseTrust(documents.trust),
    now,
    fileDigest: parts.digest ?? null,
  };
  const found = {
    verdict: await verify(evidence, question),
    evidence,
    source,
    fingerprints: { policy: fingerprint(documents.policy), trust: fingerprint(documents.trust) },
    freshStatus: false,
  };
  return isStale(found.verdict) ? withFreshStatus(found, question) : found;
}

async function findTrust(parts, evidence) {
  if (parts.policy && parts.trust) return { source: "own", documents: parts };
  const documents = await fetchTrust(originOf(evidence)).catch((error) => {
    if (error instanceof ServerError) return null;
    throw error;
  });
  return documents ? { source: "server", documents } : { source: "nobody", documents: NOTHING };
}

// The log that evidence speaks of; empty when it does not parse, which is for the verdict to say.
function originOf(evidence) {
  try {
    return parseEntry(parseEvidence(evidence).entry).claim.log;
  } catch (error) {
    if (error instanceof LedgerError) return "";
    throw error;
  }
}

const isStale = ({ result, record, steps }) =>
  result === "unknown" && record !== null && steps[STATUS_STEP - 1].outcome === "could not check";

// The same evidence with the status that the server signs now. Nothing else of it changes, and the status is checked
// like any other: it must be this record's, and signed by the status key.
async function withFreshStatus(found, question) {
  const fresh = await fetchEvidence(found.verdict.record.id).catch(() => null);
  if (fresh === null) return found;
  const evidence = encode({ ...decode(found.evidence), status: decode(fresh).status });
  const verdict = await verify(evidence, question);
  const better = verdict.steps[STATUS_STEP - 1].outcome === "pass";
  return better ? { ...found, verdict, evidence, freshStatus: true } : found;
}

// A document's SHA-256, its first 16 bytes in groups of four digits, as `audit-ledger trust export` prints it.
const fingerprint = (document) => hex(sha256(document)).slice(0, 32).match(/.{4}/g).join(" ");
