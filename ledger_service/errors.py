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


class EvidenceError(LedgerError):
    """Two parts of the evidence, or the evidence and what the verifier knows, that contradict each other."""

    code = "evidence_contradiction"
    message = "Two parts of the evidence contradict each other."


# --- config -----------------------------------------------------------------------------------------------


class SettingsError(LedgerError):
    """A setting that is unknown, malformed or unsafe."""

    code = "bad_setting"
    message = "A setting is unknown, malformed or unsafe."


# --- storage ----------------------------------------------------------------------------------------------


class StorageError(LedgerError):
    """Base of what the database can do to us."""

    code = "storage_error"
    message = "The database could not do what was asked."


class UnsafeStorageError(StorageError):
    """A database, its settings or its file system that could lose what was acknowledged."""

    code = "unsafe_storage"
    message = "The database is not set up to keep what it acknowledges."


class StorageBusyError(StorageError):
    """No connection or no lock within the time allowed. Nothing was stored; trying again is right."""

    code = "storage_busy"
    message = "The database is busy. Try again."


class StorageUnavailableError(StorageError):
    """A database server that cannot be reached. Nothing was stored."""

    code = "storage_unavailable"
    message = "The database cannot be reached."


class DiskFullError(StorageError):
    """No space left for new records. Nothing was stored; reads and proofs go on."""

    code = "disk_full"
    message = "There is no space left to store new records."


class StorageFatalError(StorageError):
    """An I/O error or a commit whose outcome is unknown. Writing stops until the process is started again."""

    code = "storage_failed"
    message = "The database failed while storing. Writing has stopped until the service is started again."


class SchemaError(StorageError):
    """A database whose schema is not the one this program was written for."""

    code = "schema_mismatch"
    message = "The database has another schema than this program. Run the migration."


class InjectedFaultError(StorageError):
    """A fault that a failpoint was told to cause. Seen in tests only."""

    code = "injected_fault"
    message = "A failpoint caused this error."


# --- vault ------------------------------------------------------------------------------------------------


class KeyUnavailableError(LedgerError):
    """A key that is missing, erased, or wrapped by a key-encryption key that is not this one."""

    code = "key_unavailable"
    message = "A key that is needed is not available."


class KeyFileError(LedgerError):
    """A key file that is missing, readable by others, or not a key file."""

    code = "bad_key_file"
    message = "A key file is missing, unsafe or damaged."


class SealError(LedgerError):
    """A sealed payload that was changed, or that belongs to another record."""

    code = "seal_broken"
    message = "A sealed payload does not open under its key and its record."


# --- records ----------------------------------------------------------------------------------------------


class InvalidPayloadError(LedgerError):
    """A payload that breaks the rules of its kind; `details["fields"]` lists `{"field", "problem"}`, never values."""

    code = "invalid_payload"
    message = "The payload breaks the rules of its kind."


class UnknownKindError(LedgerError):
    """A kind of record that this installation does not keep, or that the log is not open for."""

    code = "unknown_kind"
    message = "There is no such kind of record here."


class IdempotencyConflictError(LedgerError):
    """An idempotency key that was used for another body before. The record made then is untouched."""

    code = "idempotency_conflict"
    message = "This idempotency key was used before with another body."


class UnknownRecordError(LedgerError):
    """A record id that no record has."""

    code = "unknown_record"
    message = "There is no record of this id."


class PayloadMissingError(LedgerError):
    """A record whose payload, salt or key is gone, so that its contents cannot be shown any more."""

    code = "payload_missing"
    message = "The contents of this record are gone."


class PreparationError(LedgerError):
    """Worker processes that prepare records and have died. Nothing was stored."""

    code = "preparation_failed"
    message = "Preparing the records failed. Nothing was stored."


# --- log --------------------------------------------------------------------------------------------------


class LogError(LedgerError):
    """Base of what keeps a log from growing. What it has published stays readable."""

    code = "log_error"
    message = "The log cannot grow now."


class UnknownLogError(LogError):
    """A log that does not exist."""

    code = "unknown_log"
    message = "There is no such log."


class LogExistsError(LogError):
    """A second log of the same origin."""

    code = "log_exists"
    message = "A log of this origin exists already."


class UnknownEntryError(LogError):
    """An index beyond the published entries of a log."""

    code = "unknown_entry"
    message = "The log has no published entry of this index."


class UnknownCheckpointError(LogError):
    """A size for which the log has published no checkpoint."""

    code = "unknown_checkpoint"
    message = "The log has published no checkpoint of this size."


class FencedError(LogError):
    """Another sequencer has taken the log over. This one must not write to it again."""

    code = "fenced"
    message = "Another sequencer writes this log. This one has stopped."


class ClockError(LogError):
    """A clock more than five seconds behind the time that the log has signed already."""

    code = "clock_behind"
    message = "The clock is behind the time of the newest checkpoint. Nothing is signed until it agrees."


class CorruptLogError(LogError):
    """Stored entries, tiles and heads that contradict each other. Nothing is signed over them."""

    code = "log_corrupt"
    message = "What is stored of the log contradicts itself. Nothing is signed."


class OverloadedError(LogError):
    """More waiting than the queue holds. Nothing was accepted."""

    code = "overloaded"
    message = "Too much is waiting. Nothing was accepted; try again."


class StoppedError(LogError):
    """The ledger thread does not run, or stopped after a fault."""

    code = "stopped"
    message = "Recording has stopped. Nothing was accepted."


class OutcomeUnknownError(LogError):
    """A write that may or may not have been stored. The same idempotency key tells which."""

    code = "outcome_unknown"
    message = "It is not known whether this was stored. Ask again with the same idempotency key."


class NotSequencedError(LogError):
    """An accepted record that has no index, or no checkpoint over it, yet."""

    code = "not_sequenced"
    message = "The record is accepted and not yet in a signed checkpoint."


# --- chain ------------------------------------------------------------------------------------------------


class ChainError(LedgerError):
    """Base of what the chain can do to us. Recording and proving go on without it."""

    code = "chain_error"
    message = "The chain could not do what was asked."


class ChainUnavailableError(ChainError):
    """A node that cannot be reached, answers too late, or answers with something that is not an answer."""

    code = "chain_unavailable"
    message = "The chain's node does not answer."


class ChainRefusedError(ChainError):
    """A JSON-RPC error object: the node understood the request and refuses it."""

    code = "chain_refused"
    message = "The chain's node refuses the request."


class BlockGoneError(ChainError):
    """A block that the chain has dropped while we were reading at it. Reading again at the new head is right."""

    code = "block_gone"
    message = "The block that was being read is no longer part of the chain."


class ChainReplacedError(ChainError):
    """Another chain at the address where ours was: other chain id, genesis, or deployment block."""

    code = "chain_replaced"
    message = "The node serves another chain than the one that was pinned. Anchoring has stopped."


class ContractReplacedError(ChainReplacedError):
    """Other code, or none, at the address of the pinned contract."""

    code = "contract_replaced"
    message = "The contract's code is not the code that was pinned. Anchoring has stopped."


class ContractRevertedError(ChainError):
    """A call that the contract refuses; `details` hold the custom error's name and arguments."""

    code = "contract_reverted"
    message = "The contract refuses the call."


class ChainAheadError(ChainError):
    """A chain whose newest block lies in the future, so that an anchor's time would be a lie."""

    code = "chain_ahead"
    message = "The chain's clock is ahead of ours. Nothing is anchored until it agrees."


class RollbackDetectedError(ChainError):
    """A database that is older than what the chain, or the guard file, has already seen of it."""

    code = "rollback_detected"
    message = "The database is older than what was already anchored. It must not sign."


class ChainFileError(ChainError):
    """A file of the embedded chain that is damaged, or is not the file of the chain that was asked for."""

    code = "bad_chain_file"
    message = "The embedded chain's file cannot be used."


class ChainFileInUseError(ChainError):
    """A second process that opens the file of a running embedded chain."""

    code = "chain_file_in_use"
    message = "Another process owns the embedded chain's file."


class RpcError(ChainError):
    """A JSON-RPC error object that the embedded chain answers with: number, words and, for a revert, its bytes."""

    code = "rpc_error"
    message = "The embedded chain refuses the request."

    def __init__(self, number: int, message: str, *, data: bytes | None = None) -> None:
        """Answer with this error number (JSON-RPC 2.0 section 5.1), words and revert data."""
        super().__init__(message, number=number)
        self.number = number
        self.data = data


# --- accounts ---------------------------------------------------------------------------------------------


class BadNameError(LedgerError):
    """A name of an organization or a scope that breaks the rules for names."""

    code = "bad_name"
    message = "The name must be 1 to 63 lower-case letters, digits and single hyphens between them."


class OrganizationExistsError(LedgerError):
    """A second organization under the same name."""

    code = "organization_exists"
    message = "An organization of this name exists already."


class UnauthenticatedError(LedgerError):
    """No API key, or one that is unknown, expired or revoked. It does not say which."""

    code = "unauthenticated"
    message = "A valid API key is needed: Authorization: Bearer <key>."


class ScopeMissingError(LedgerError):
    """A valid key of the right organization that may not do this."""

    code = "scope_missing"
    message = "The API key lacks the scope that this call needs."


class UnknownKeyError(LedgerError):
    """A key prefix that no key of the installation has."""

    code = "unknown_key"
    message = "No API key has this prefix."



# --- verification -----------------------------------------------------------------------------------------


class NotFoundError(LedgerError):
    """Something that does not exist, or exists and is not the caller's: the two answers are the same."""

    code = "not_found"
    message = "There is nothing here, or nothing that you may see."


# --- api and cli ------------------------------------------------------------------------------------------


class BadRequestError(LedgerError):
    """A request that cannot be understood."""

    code = "bad_request"
    message = "The request cannot be understood."


class DuplicateParameterError(LedgerError):
    """A query parameter that stands there twice, so that two readers could take different values."""

    code = "duplicate_parameter"
    message = "A query parameter is given more than once."


class IdempotencyKeyMissingError(LedgerError):
    """A write without an idempotency key."""

    code = "idempotency_key_missing"
    message = "Every write needs an Idempotency-Key header: 1 to 255 visible ASCII characters."


class BodyTooLargeError(LedgerError):
    """A body over the limit of its route."""

    code = "body_too_large"
    message = "The body is larger than this call allows."


class UnsupportedMediaTypeError(LedgerError):
    """A body of another type than the call takes."""

    code = "unsupported_media_type"
    message = "The body is of another type than this call takes."


class MethodNotAllowedError(LedgerError):
    """A path that exists, asked with a method that it does not have."""

    code = "method_not_allowed"
    message = "This path does not take that method."


class NotReadyError(LedgerError):
    """A write that arrives while the service may not sign. Reads go on."""

    code = "not_ready"
    message = "The service does not accept writes now."


class InternalError(LedgerError):
    """A defect of ours. The request id finds it in the log."""

    code = "internal_error"
    message = "The service failed in a way it should not have."


class UsageError(LedgerError):
    """A command that was called wrongly."""

    code = "usage"
    message = "The command was called wrongly."
