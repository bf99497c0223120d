"""What the kernel refuses, and what it could not check."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


class MalformedError(LedgerError):
    """Bytes that are not exactly one encoding of what they claim to be."""

    code = "malformed"
    message = "The input is not in the format it claims."


class CommitmentError(LedgerError):
    """Disclosed fields that do not open the commitment of their entry."""

    code = "commitment_mismatch"
    message = "The disclosed fields do not belong to this entry."


class InclusionError(LedgerError):
    """A Merkle path that does not lead from the leaf to the root (RFC 9162 section 2.1.3.2)."""

    code = "not_included"
    message = "The inclusion proof does not lead to the checkpoint's root."


class ConsistencyError(LedgerError):
    """Two tree heads of which one is not shown to be a prefix of the other (RFC 9162 section 2.1.4.2)."""

    code = "not_consistent"
    message = "The consistency proof does not connect the two tree heads."


class SignatureError(LedgerError):
    """A signature by a known key that does not verify."""

    code = "bad_signature"
    message = "A signature does not verify."


class PolicyError(LedgerError):
    """A checkpoint that is not signed as the policy demands."""

    code = "policy_not_met"
    message = "The checkpoint is not signed as the policy demands."


class TileMissingError(LedgerError):
    """A tile that the tree needs and the reader does not have."""

    code = "tile_missing"
    message = "A tile of the log is missing."


class CouldNotCheckError(LedgerError):
    """A check that could not be made. It never turns into a pass."""

    code = "could_not_check"
    message = "The check could not be made."


class AnchorError(LedgerError):
    """A chain that contradicts the anchor in the evidence."""

    code = "anchor_mismatch"
    message = "The chain does not hold the anchor that the evidence states."


class EvidenceError(LedgerError):
    """Two parts of the evidence, or the evidence and what the verifier knows, that contradict each other."""

    code = "evidence_contradiction"
    message = "Two parts of the evidence contradict each other."
