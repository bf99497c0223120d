"""Every error this project raises on purpose: one tree, each class with a stable code and a default message.

`api/errors.py` maps codes to HTTP statuses, `cli/exits.py` to exit codes, and `docs/errors.md` lists them all.
"""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Base of the tree. `details` are safe to show to a caller: never put a secret or a payload there."""

    code: ClassVar[str] = "ledger_error"
    message: ClassVar[str] = "The ledger could not do what was asked."

    def __init__(self, message: str | None = None, **details: object) -> None:
        """Use the class's message unless a more exact one is given."""
        self.text = message or self.message
        self.details = details
        super().__init__(self.text)


# --- proofs -----------------------------------------------------------------------------------------------


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


# --- config -----------------------------------------------------------------------------------------------


class SettingsError(LedgerError):
    """A setting that is unknown, malformed or unsafe."""

    code = "bad_setting"
    message = "A setting is unknown, malformed or unsafe."


# --- storage ----------------------------------------------------------------------------------------------


# --- vault ------------------------------------------------------------------------------------------------


# --- records ----------------------------------------------------------------------------------------------


# --- log --------------------------------------------------------------------------------------------------


# --- chain ------------------------------------------------------------------------------------------------


# --- accounts ---------------------------------------------------------------------------------------------


# --- verification -----------------------------------------------------------------------------------------
