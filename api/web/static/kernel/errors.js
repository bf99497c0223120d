// What the kernel refuses, and what it could not check: ledger_service/errors/proofs.py.

export class LedgerError extends Error {
  static code = "ledger_error";
  static message = "The ledger could not do what was asked.";

  constructor(message) {
    super(message ?? new.target.message);
    this.code = new.target.code;
  }
}

export class MalformedError extends LedgerError {
  static code = "malformed";
  static message = "The input is not in the format it claims.";
}

export class CommitmentError extends LedgerError {
  static code = "commitment_mismatch";
  static message = "The disclosed fields do not belong to this entry.";
}

export class InclusionError extends LedgerError {
  static code = "not_included";
  static message = "The inclusion proof does not lead to the checkpoint's root.";
}

export class ConsistencyError extends LedgerError {
  static code = "not_consistent";
  static message = "The consistency proof does not connect the two tree heads.";
}

export class SignatureError extends LedgerError {
  static code = "bad_signature";
  static message = "A signature does not verify.";
}

export class PolicyError extends LedgerError {
  static code = "policy_not_met";
  static message = "The checkpoint is not signed as the policy demands.";
}

// Never turns into a pass.
export class CouldNotCheckError extends LedgerError {
  static code = "could_not_check";
  static message = "The check could not be made.";
}

export class AnchorError extends LedgerError {
  static code = "anchor_mismatch";
  static message = "The chain does not hold the anchor that the evidence states.";
}

export class EvidenceError extends LedgerError {
  static code = "evidence_contradiction";
  static message = "Two parts of the evidence contradict each other.";
}
