// Step 7 of the verdict, the status that the record had at the asked date: ledger_service/proofs/standing.py.

import { equal } from "./bytes.js";
import { formatTime } from "./canonical.js";
import { CouldNotCheckError, EvidenceError } from "./errors.js";
import { checkSignedStatus, findChange } from "./status.js";

// Where the status comes from; notes the state in the case. Rejects with EvidenceError when the statement is about
// another record or contradicts the checkpoint, SignatureError when its signature does not verify, CouldNotCheckError
// when it is missing, stale, below the entry or by an unknown key.
export async function checkStanding(case_) {
  const statement = case_.evidence.status;
  if (statement === null) {
    throw new CouldNotCheckError("The evidence has no status statement, and silence is not a status.");
  }
  checkAbout(case_, statement);
  checkFresh(case_, statement);
  const source = await checkProof(case_, statement);
  const { at, knownAt } = case_.question;
  const change = findChange(statement, { at, knownAt });
  if (change === undefined) throw new CouldNotCheckError("The record had no status yet at the asked time.");
  case_.state = change.state;
  return `${change.state} since ${formatTime(change.since)} (${change.reason}), ${source}`;
}

function checkAbout({ pointer, checkpoint }, statement) {
  const about = statement.pointer;
  if (about.log !== pointer.log || about.index !== pointer.index || !equal(about.leaf, pointer.leaf)) {
    throw new EvidenceError("The status is another record's.");
  }
  if (statement.asOf.size === checkpoint.size && !equal(statement.asOf.root, checkpoint.root)) {
    throw new EvidenceError("Status and checkpoint state different roots for the same size: the log is forked.");
  }
  if (statement.asOf.size <= pointer.index) {
    throw new CouldNotCheckError("The status statement has not read the log as far as this entry.");
  }
}

function checkFresh({ question }, statement) {
  const { now, at, knownAt, trust } = question;
  const read = statement.asOf.time;
  if (read - now > trust.acceptedTolerance) {
    throw new CouldNotCheckError(`The status statement is from the future, ${formatTime(read)}.`);
  }
  if (Math.max(at, knownAt) - read > trust.maxStatusAge) {
    throw new CouldNotCheckError(
      `The status statement of ${formatTime(read)} is older than the trust file allows, ${trust.maxStatusAge} s.`,
    );
  }
}

async function checkProof(case_, statement) {
  const read = formatTime(statement.asOf.time);
  if (statement.proof.type !== "signed") {
    throw new CouldNotCheckError("The status statement needs a node, and none was asked or could answer.");
  }
  if (case_.trusted === undefined) {
    throw new CouldNotCheckError("The trust file names no status key of this log.");
  }
  const key = await checkSignedStatus(statement, case_.trusted.statusKeys);
  case_.notProven.push(`The status is the operator's word as of ${read}.`);
  return `signed by ${key.name} as of size ${statement.asOf.size} at ${read}`;
}
