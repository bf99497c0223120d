// The signed acceptance, the promise to sequence a record by a certain time: ledger_service/proofs/acceptance.py.

import { decodeBase64, parseTime } from "./canonical.js";
import { ORIGIN } from "./entry.js";
import { MalformedError, SignatureError } from "./errors.js";
import { checkEd25519, parseNote } from "./note.js";

export const ACCEPTANCE_VERSION = "audit-ledger/acceptance/v1";

const ACCEPTED = "accepted ";
const SEQUENCED_BY = "sequenced-by ";

// The acceptance in a note's text; throws MalformedError.
export function parseAcceptance(text) {
  const lines = text.split("\n");
  const [version, origin, leaf, accepted, sequencedBy, end] = lines;
  if (lines.length !== 6 || end !== "" || version !== ACCEPTANCE_VERSION) {
    throw new MalformedError(`The text is not an ${ACCEPTANCE_VERSION}.`);
  }
  if (!ORIGIN.test(origin)) throw new MalformedError("The origin is not in its form.");
  if (!accepted.startsWith(ACCEPTED) || !sequencedBy.startsWith(SEQUENCED_BY)) {
    throw new MalformedError("The acceptance states no times.");
  }
  const acceptance = {
    origin,
    leaf: decodeBase64(leaf, 32),
    accepted: parseTime(accepted.slice(ACCEPTED.length)),
    sequencedBy: parseTime(sequencedBy.slice(SEQUENCED_BY.length)),
  };
  if (acceptance.sequencedBy < acceptance.accepted) {
    throw new MalformedError("The acceptance promises a time before it was given.");
  }
  return acceptance;
}

// The acceptance in a signed note, once `key`, that log's acceptance key, has signed it.
export async function checkAcceptance(data, key) {
  const note = parseNote(data);
  const acceptance = parseAcceptance(note.text);
  if (key.name !== `${acceptance.origin}/acceptance`) {
    throw new SignatureError("The key does not sign acceptances for this log.");
  }
  await checkEd25519(note, key);
  return acceptance;
}
