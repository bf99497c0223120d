// The status of a record, a positive statement, never the absence of one: ledger_service/proofs/status.py.

import { concat, equal, utf8 } from "./bytes.js";
import { encode, encodeBase64url, formatTime, parseTime } from "./canonical.js";
import { formatPointer, parsePointer } from "./entry.js";
import { CouldNotCheckError, MalformedError } from "./errors.js";
import { checkEd25519Signature, keyReference } from "./note.js";
import { bytesOf, countOf, isObject, listOf, objectOf, textOf } from "./shapes.js";

export const ACTIVE = "active";
export const STATES = [ACTIVE, "suspended", "superseded", "refunded", "withdrawn", "revoked"];
export const REASON = /^[a-z][a-z0-9_]{0,63}$/;
export const STATUS_KEY = /^[^+]+\+[0-9a-f]{8}$/u;

const LABEL = utf8("audit-ledger/status/v1\0");
const MEMBERS = ["log", "index", "leaf", "state", "since", "reason", "history", "as_of", "proof"];
const OTHER_TYPES = ["map", "chain"];

export const statusKeyName = (origin) => `${origin}/status`;

// The last change known at `knownAt` that was in force at `at`, or undefined.
export const findChange = (statement, { at, knownAt }) =>
  statement.history.findLast((change) => change.known <= knownAt && change.since <= at);

// The bytes that the status key signs.
export const statusMessage = (statement) => concat(LABEL, encode(body(statement)));

// The one of `keys` that signed the statement. Rejects with CouldNotCheckError when the proof is of another type or by
// another key, SignatureError when it is by one of `keys` and does not verify.
export async function checkSignedStatus(statement, keys) {
  const { proof } = statement;
  if (proof.type !== "signed") {
    throw new CouldNotCheckError("The status statement is not signed, and its proof needs a node.");
  }
  const name = statusKeyName(statement.pointer.log);
  const key = keys.find((each) => proof.key === keyReference(each) && each.name === name);
  if (key === undefined) throw new CouldNotCheckError("The status statement is signed by an unknown key.");
  await checkEd25519Signature(statusMessage(statement), proof.sig, key);
  return key;
}

// The statement that `formatStatus` writes as `value`; throws MalformedError.
export function parseStatus(value) {
  const members = objectOf(value, MEMBERS, "The status");
  const statement = {
    pointer: parsePointer({ log: members.log, index: members.index, leaf: members.leaf }),
    history: listOf(members.history, "history").map(parseChange),
    asOf: parseAsOf(members.as_of),
    proof: parseProof(members.proof),
  };
  checkHistory(statement);
  statement.current = findChange(statement, { at: statement.asOf.time, knownAt: statement.asOf.time });
  if (statement.current === undefined) {
    throw new MalformedError("No status change is in force at the time of the statement.");
  }
  if (!equal(encode(formatStatus(statement)), encode(members))) {
    throw new MalformedError("The status is not the one its history has at as_of.");
  }
  return statement;
}

export function formatStatus(statement) {
  const { type, key, sig, members } = statement.proof;
  const proof = type === "signed" ? { type, key, sig: encodeBase64url(sig) } : members;
  return { ...body(statement), proof };
}

function body(statement) {
  const { pointer, current, history, asOf } = statement;
  return {
    ...formatPointer(pointer),
    state: current.state,
    since: formatTime(current.since),
    reason: current.reason,
    history: history.map((change) => ({
      state: change.state,
      since: formatTime(change.since),
      known: formatTime(change.known),
      reason: change.reason,
      index: change.index,
    })),
    as_of: { size: asOf.size, root: encodeBase64url(asOf.root), time: formatTime(asOf.time) },
  };
}

function parseChange(value) {
  const members = objectOf(value, ["state", "since", "known", "reason", "index"], "A status change");
  return {
    state: textOf(members.state, "state"),
    since: parseTime(textOf(members.since, "since")),
    known: parseTime(textOf(members.known, "known")),
    reason: textOf(members.reason, "reason"),
    index: countOf(members.index, "index"),
  };
}

function parseAsOf(value) {
  const members = objectOf(value, ["size", "root", "time"], "as_of");
  return {
    size: countOf(members.size, "size"),
    root: bytesOf(members.root, "root", 32),
    time: parseTime(textOf(members.time, "time")),
  };
}

function parseProof(value) {
  if (isObject(value) && OTHER_TYPES.includes(value.type)) return { type: value.type, members: value };
  const members = objectOf(value, ["type", "key", "sig"], "The status proof");
  if (members.type !== "signed") throw new MalformedError("The status proof is of an unknown type.");
  return {
    type: "signed",
    key: textOf(members.key, "key", STATUS_KEY),
    sig: bytesOf(members.sig, "sig", 64),
  };
}

function checkHistory({ pointer, history }) {
  if (!history.length || history[0].index !== pointer.index) {
    throw new MalformedError("The history does not begin with the record itself.");
  }
  if (history.some(({ state, reason }) => !STATES.includes(state) || !REASON.test(reason))) {
    throw new MalformedError("A status change has an unknown state or a malformed reason.");
  }
  const disordered = (later, at) =>
    at > 0 && (history[at - 1].index >= later.index || history[at - 1].known > later.known);
  if (history.some(disordered)) throw new MalformedError("The history is not in the order of the log.");
}
