// Step 6 of the verdict, whether the checkpoint is anchored: ledger_service/proofs/anchoring.py.
//
// A browser asks no node: an anchor is borne out by nobody here, and at best stated only.

import { equal } from "./bytes.js";
import { formatTime } from "./canonical.js";
import { AnchorError, CouldNotCheckError } from "./errors.js";

const GRADE_STATED = "stated only";

// Throws AnchorError when an anchor contradicts checkpoint or entry, else CouldNotCheckError, and notes the interval
// that the first anchor states.
export function checkAnchors(case_) {
  const { anchors } = case_.evidence;
  if (!anchors.length) {
    throw new CouldNotCheckError("The evidence has no anchor; made again later, it may have one.");
  }
  const reasons = anchors.map((anchor) => {
    checkStatement(case_, anchor);
    return findTrusted(case_, anchor)
      ? "No node was asked."
      : "Its chain, contract and log id are not pinned in the trust file.";
  });
  case_.interval = statedInterval(case_, anchors[0]);
  throw new CouldNotCheckError(`Anchored by the evidence's own word, stated only. ${reasons.join(" ")}`);
}

function checkStatement(case_, anchor) {
  const { checkpoint } = case_;
  if (anchor.size !== checkpoint.size || !equal(anchor.root, checkpoint.root)) {
    throw new AnchorError("The anchor is of another size or root than the checkpoint.");
  }
  if (anchor.time !== anchor.block.time) throw new AnchorError("The anchor's time is not that of its block.");
  const { previous } = anchor;
  if (previous !== null && (previous.size >= anchor.size || previous.time > anchor.time)) {
    throw new AnchorError("The head before the anchor is not earlier and smaller.");
  }
  checkAccepted(case_, lower(case_, anchor), anchor.time);
}

function checkAccepted(case_, after, before) {
  const { accepted } = case_.entry;
  const tolerance = case_.question.trust.acceptedTolerance;
  if (accepted - before > tolerance || (after !== null && after - accepted > tolerance)) {
    throw new AnchorError(
      `The entry says it was accepted at ${formatTime(accepted)}, which lies outside the interval of its anchor ` +
        `by more than ${tolerance} s.`,
    );
  }
}

const findTrusted = (case_, anchor) =>
  case_.trusted?.anchors.find(
    (trusted) =>
      trusted.chainId === anchor.chainId &&
      ["genesisHash", "contract", "codeHash", "logId"].every((name) => equal(trusted[name], anchor[name])),
  );

// Only a head that did not hold the entry yet says anything about when the entry was made.
function lower(case_, { previous }) {
  return previous === null || previous.size > case_.pointer.index ? null : previous.time;
}

const statedInterval = (case_, anchor) => ({
  after: lower(case_, anchor),
  before: anchor.time,
  grade: GRADE_STATED,
  selfAnchored: findTrusted(case_, anchor)?.selfAnchored ?? null,
});
