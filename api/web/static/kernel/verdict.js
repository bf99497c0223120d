// The verdict, eight numbered steps, one answer, and what it does not prove: ledger_service/proofs/verdict.py.

import { encode, formatTime } from "./canonical.js";
import { optional } from "./shapes.js";

export const VERDICT_VERSION = "audit-ledger/verdict/v1";
export const STEPS = [
  "evidence parses",
  "disclosed fields open the commitment",
  "entry hashes to the leaf",
  "inclusion in the checkpoint",
  "checkpoint signed as the policy demands, by that origin",
  "checkpoint anchored",
  "status at the asked date",
  "what the kind adds",
];
export const PASS = "pass";
export const FAIL = "fail";
export const COULD_NOT_CHECK = "could not check";

export const makeStep = (number, outcome, detail) => ({ number, name: STEPS[number - 1], outcome, detail });

export function peopleWords(result) {
  if (result === "valid") return "Genuine";
  return result === "unknown" ? "Cannot tell" : "Not genuine";
}

// The verdict as canonical JSON, byte for byte what Python writes.
export const formatVerdict = (verdict) =>
  encode({
    v: VERDICT_VERSION,
    result: verdict.result,
    people: peopleWords(verdict.result),
    reason: verdict.reason,
    scope: verdict.scope,
    steps: verdict.steps,
    not_proven: verdict.notProven,
    record: verdict.record,
    interval: optional(verdict.interval, ({ after, before, grade, selfAnchored }) => ({
      after: optional(after, formatTime),
      before: formatTime(before),
      grade,
      self_anchored: selfAnchored,
    })),
    at: formatTime(verdict.at),
    known_at: formatTime(verdict.knownAt),
    checked_at: formatTime(verdict.checkedAt),
  });
