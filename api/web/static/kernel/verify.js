// The verification procedure, one function for each of its eight steps: ledger_service/proofs/verify.py.
//
// A step returns its evidence in words, throws CouldNotCheckError when it could not be made, and any other error of
// the kernel when it failed. There is no chain here, so that what Python says offline is what a browser says.

import { equal } from "./bytes.js";
import { encodeBase64url, formatTime, MAX_INTEGER, parseTime } from "./canonical.js";
import { checkAnchors } from "./anchoring.js";
import { parseCheckpoint } from "./checkpoint.js";
import { formatPointer, parseEntry } from "./entry.js";
import {
  CommitmentError,
  CouldNotCheckError,
  EvidenceError,
  LedgerError,
  SignatureError,
} from "./errors.js";
import { parseEvidence } from "./evidence.js";
import { checkFields } from "./fields.js";
import { checkInclusion, leafHash } from "./merkle.js";
import { ALG_EIP712, equalKeys, isBy, parseNote } from "./note.js";
import { OPENING_KIND, parseOpening } from "./opening.js";
import { checkPolicy } from "./policy.js";
import { textOf } from "./shapes.js";
import { checkStanding } from "./standing.js";
import { ACTIVE } from "./status.js";
import { COULD_NOT_CHECK, FAIL, makeStep, PASS, STEPS } from "./verdict.js";

export { formatVerdict, peopleWords } from "./verdict.js";

const NEVER_PROVEN = [
  "When the entry was accepted: `accepted` is the operator's claim.",
  "Who presents this: the evidence is a bearer document, and anyone who has it can show it.",
  "How many entries the log has, and that their bytes are available: neither log nor chain proves it.",
];
const FIELDS_STEP = 2;
const KIND_STEP = 8;

// The verdict on evidence of any bytes; bad evidence never rejects. `now`, `at` and `knownAt` are seconds since 1970
// (the latter two are `now` by default), `fileDigest` the SHA-256 of a file that the record must be about, which makes
// step 8 required.
export async function verify(evidence, { policy, trust, now, at = now, knownAt = now, fileDigest = null }) {
  const question = { policy, trust, now, at, knownAt, fileDigest };
  let case_;
  try {
    case_ = parseCase(evidence, question);
  } catch (error) {
    return unparsed(question, reasonOf(error));
  }
  const steps = [
    makeStep(1, PASS, "The evidence, its entry and its checkpoint are each in their one form."),
  ];
  for (const [number, check] of PROCEDURE) steps.push(await run(number, check, case_));
  return conclude(case_, steps);
}

// The words of an error of the kernel; anything else is a defect and goes on.
function reasonOf(error) {
  if (error instanceof LedgerError) return error.message;
  throw error;
}

function parseCase(data, question) {
  const evidence = parseEvidence(data);
  const entry = parseEntry(evidence.entry);
  const checkpoint = parseCheckpoint(parseNote(evidence.proof.checkpoint).text);
  const { index } = evidence.proof;
  return {
    question,
    evidence,
    entry,
    checkpoint,
    pointer: { log: entry.claim.log, index, leaf: leafHash(evidence.entry) },
    trusted: question.trust.logs.find(({ origin }) => origin === entry.claim.log),
    required: new Set([...question.trust.required, ...(question.fileDigest === null ? [] : [KIND_STEP])]),
    shown: new Map(),
    disclosed: new Set(),
    interval: null,
    state: ACTIVE,
    expired: false,
    notProven: [],
  };
}

// Step 2: the schema is the entry's, and the disclosed fields open its commitment.
function openFields(case_) {
  const { claim } = case_.entry;
  const { schema, fields } = case_.evidence;
  if (claim.kind !== schema.kind || !equal(claim.schema, schema.hash)) {
    throw new EvidenceError("The schema is not the one that the entry names.");
  }
  if (!Object.keys(claim.public).every((name) => schema.public.includes(name))) {
    throw new EvidenceError("The entry has public fields that its schema does not name.");
  }
  if ((claim.commitment === null) !== (schema.private.length === 0)) {
    throw new CommitmentError("The entry has a commitment exactly when its kind has private fields.");
  }
  if (claim.commitment === null) {
    if (fields?.length) throw new CommitmentError("Fields are shown that the kind does not have.");
    return "The kind has no private fields.";
  }
  if (fields === null) throw new CouldNotCheckError("No private fields are shown.");
  const { log, id, commitment } = claim;
  case_.shown = checkFields(fields, { commitment, schema, log, id });
  case_.disclosed = new Set(fields.filter(Array.isArray).map((item) => item[1]));
  return `${case_.disclosed.size} of ${schema.private.length} private fields are shown; they open the commitment.`;
}

// Step 3: the entry hashes to the leaf that the other parts speak of, in the log that it names.
function hashEntry({ checkpoint, entry, pointer }) {
  if (checkpoint.origin !== entry.claim.log) {
    throw new EvidenceError("The checkpoint is of another log than the entry.");
  }
  if (pointer.index === 0n) {
    parseOpening(entry);
  } else if (entry.claim.kind === OPENING_KIND) {
    throw new EvidenceError("An opening stands elsewhere than at index 0.");
  }
  return `Leaf ${encodeBase64url(pointer.leaf)}.`;
}

// Step 4: the leaf is in the checkpoint's tree at the stated index.
function includeLeaf({ checkpoint, evidence, pointer }) {
  const { size, root } = checkpoint;
  checkInclusion(pointer.leaf, { index: pointer.index, size, root, proof: evidence.proof.hashes });
  return `Entry ${pointer.index} of ${size}.`;
}

// Step 5: the checkpoint is signed as the policy demands, by keys that speak for its size.
async function checkCheckpoint(case_) {
  const verified = await checkPolicy(case_.evidence.proof.checkpoint, case_.question.policy);
  const cosigners = [...verified.cosigned.keys()].join(", ") || "nobody";
  const details = [`Signed by ${verified.logKey.name}, cosigned by ${cosigners}.`];
  let unchecked = verified.unchecked.length;
  for (const key of speakingKeys(case_, verified.note)) {
    if (key.alg === ALG_EIP712) {
      unchecked -= 1;
      const sentence = "The checkpoint's EIP-712 line could not be checked. The kernel has no Keccak.";
      case_.notProven.push(sentence);
      details.push(sentence);
    }
  }
  if (unchecked) {
    details.push(`Lines by keys that neither policy nor trust file names, not checked: ${unchecked}.`);
  }
  return details.join(" ");
}

// The head keys of the trust file that signed, once each is known to speak for this size.
function speakingKeys({ trusted, checkpoint }, note) {
  const heads = (trusted?.headKeys ?? []).filter(({ key }) => note.signatures.some((line) => isBy(line, key)));
  const keys = [];
  for (const { key } of heads) if (!keys.some((other) => equalKeys(other, key))) keys.push(key);
  const covers = ({ fromSize, toSize }) =>
    fromSize <= checkpoint.size && (toSize === null || checkpoint.size <= toSize);
  for (const key of keys) {
    if (!heads.some((head) => equalKeys(head.key, key) && covers(head))) {
      throw new SignatureError("A key signed the checkpoint that does not speak for its size.");
    }
  }
  return keys;
}

// Step 8: the issuer is the one the trust file knows, and file and validity period fit.
function checkKind(case_) {
  const { trusted, question } = case_;
  const { claim, by } = case_.entry;
  if (trusted === undefined) {
    throw new CouldNotCheckError("The trust file does not know this log, so nobody says who the issuer is.");
  }
  if (claim.org !== trusted.org) {
    throw new EvidenceError("The entry names another organization than the trust file does for this log.");
  }
  const details = [`Issued by ${trusted.issuerName} (${trusted.org}), as the trust file says.`];
  if (question.fileDigest !== null) {
    const known = claim.public.published_sha256 ?? fieldOf(case_, "file_sha256");
    if (known !== encodeBase64url(question.fileDigest)) {
      throw new EvidenceError("The file is not the one that the record is about.");
    }
    details.push("The file is the one that the record is about.");
  }
  const [start, end] = ["valid_from", "valid_until"].map((name) => momentOf(case_, name));
  if (start !== null && question.at < start) {
    throw new EvidenceError(`The record is valid only from ${formatTime(start)}.`);
  }
  if (end !== null) {
    case_.expired = question.at > end;
    details.push(`Valid until ${formatTime(end)}.`);
  }
  if (by.length) case_.notProven.push("Who signed the claim: the trust file names no author keys.");
  return details.join(" ");
}

function momentOf(case_, name) {
  const { schema } = case_.evidence;
  if (!schema.private.includes(name) && !schema.public.includes(name)) return null;
  const value = fieldOf(case_, name);
  return value === null ? null : parseTime(textOf(value, name));
}

// A field that matters to the verdict, null where the record has none.
function fieldOf(case_, name) {
  if (case_.evidence.schema.public.includes(name)) return case_.entry.claim.public[name] ?? null;
  if (case_.disclosed.has(name)) return case_.shown.get(name) ?? null;
  // Hiding a field must not help: a verdict that depends on it cannot do without this step.
  case_.required.add(KIND_STEP);
  throw new CouldNotCheckError(`The field ${name} is not shown.`);
}

const PROCEDURE = [
  [2, openFields],
  [3, hashEntry],
  [4, includeLeaf],
  [5, checkCheckpoint],
  [6, checkAnchors],
  [7, checkStanding],
  [8, checkKind],
];

async function run(number, check, case_) {
  try {
    return makeStep(number, PASS, await check(case_));
  } catch (error) {
    const outcome = error instanceof CouldNotCheckError ? COULD_NOT_CHECK : FAIL;
    return makeStep(number, outcome, reasonOf(error));
  }
}

function conclude(case_, steps) {
  const { result, reason } = judge(case_, steps);
  const { at, knownAt, now } = case_.question;
  const optional = steps
    .filter(({ number, outcome }) => outcome === COULD_NOT_CHECK && !case_.required.has(number))
    .map(
      ({ number, name, detail }) =>
        `Step ${number} (${name}), which the trust file does not require: ${detail}`,
    );
  return {
    result,
    reason,
    scope: scopeOf(case_),
    steps,
    notProven: [...NEVER_PROVEN, ...case_.notProven, ...optional],
    record: recordOf(case_),
    interval: case_.interval,
    at,
    knownAt,
    checkedAt: now,
  };
}

function judge(case_, steps) {
  const failed = steps.find(({ outcome }) => outcome === FAIL);
  if (failed) {
    return { result: "invalid", reason: `Step ${failed.number} (${failed.name}) failed: ${failed.detail}` };
  }
  // Showing no fields narrows the scope of the verdict instead of withholding it. And whoever holds a revoked
  // record must not get a better answer by hiding a field: what the kind adds could only make it worse.
  const needless = case_.state === ACTIVE ? [FIELDS_STEP] : [FIELDS_STEP, KIND_STEP];
  const missing = steps.find(
    ({ number, outcome }) =>
      outcome === COULD_NOT_CHECK && case_.required.has(number) && !needless.includes(number),
  );
  if (missing) {
    const reason = `Step ${missing.number} (${missing.name}) could not be checked: ${missing.detail}`;
    return { result: "unknown", reason };
  }
  if (case_.state !== ACTIVE) {
    return { result: case_.state, reason: `The record is ${case_.state} at the asked date.` };
  }
  if (case_.expired) {
    return { result: "expired", reason: "The record's validity period is over at the asked date." };
  }
  return { result: "valid", reason: "Every required step passed." };
}

function scopeOf({ disclosed, evidence }) {
  if (disclosed.size === evidence.schema.private.length) return "all fields";
  return disclosed.size ? "some fields" : "entry only";
}

function recordOf({ entry, pointer, trusted, shown }) {
  // A proof may count further than our JSON does. No log holds such an entry: step 4 has failed.
  if (pointer.index > MAX_INTEGER) return null;
  const { claim } = entry;
  return {
    ...formatPointer(pointer),
    id: claim.id,
    org: claim.org,
    issuer: trusted?.issuerName ?? null,
    kind: claim.kind,
    accepted: formatTime(entry.accepted),
    target: formatPointer(claim.target),
    previous: formatPointer(claim.previous),
    public: claim.public,
    fields: Object.fromEntries(shown),
  };
}

function unparsed({ now, at, knownAt }, detail) {
  return {
    result: "invalid",
    reason: `Step 1 (${STEPS[0]}) failed: ${detail}`,
    scope: "entry only",
    steps: [
      makeStep(1, FAIL, detail),
      ...PROCEDURE.map(([number]) => makeStep(number, COULD_NOT_CHECK, "The evidence does not parse.")),
    ],
    notProven: NEVER_PROVEN,
    record: null,
    interval: null,
    at,
    knownAt,
    checkedAt: now,
  };
}
