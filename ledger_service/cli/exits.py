"""Exit codes: 0 done or genuine, 1 failed or not genuine, 2 cannot tell or try again, 64 called wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger_service import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

DONE: Final = 0
FAILED: Final = 1
CANNOT_TELL: Final = 2
USAGE: Final = 64

_EXITS: Final[Mapping[int, tuple[type[errors.LedgerError], ...]]] = {
    CANNOT_TELL: (
        errors.CouldNotCheckError,
        errors.NotReadyError,
        errors.StorageBusyError,
        errors.StorageUnavailableError,
        errors.PreparationError,
        errors.OverloadedError,
        errors.PapersUnavailableError,
        errors.RateLimitedError,
        errors.StoppedError,
        errors.OutcomeUnknownError,
        errors.NotSequencedError,
        errors.ChainUnavailableError,
        errors.BlockGoneError,
    ),
    USAGE: (
        errors.UsageError,
        errors.BadNameError,
        errors.BadRequestError,
        errors.DuplicateParameterError,
        errors.IdempotencyKeyMissingError,
        errors.SettingsError,
        errors.UnauthenticatedError,
        errors.ScopeMissingError,
        errors.WebhookUrlError,
    ),
}
# Every class stands here or above, so that none falls into a default by oversight (a test says so).
_FAILURES: Final[tuple[type[errors.LedgerError], ...]] = (
    errors.LedgerError,
    errors.PaperTooLongError,
    errors.UnknownReasonError,
    errors.TargetError,
    errors.StateConflictError,
    errors.MalformedError,
    errors.CommitmentError,
    errors.InclusionError,
    errors.ConsistencyError,
    errors.SignatureError,
    errors.PolicyError,
    errors.TileMissingError,
    errors.AnchorError,
    errors.EvidenceError,
    errors.StorageError,
    errors.UnsafeStorageError,
    errors.DiskFullError,
    errors.StorageFatalError,
    errors.DamagedDataError,
    errors.SchemaError,
    errors.InjectedFaultError,
    errors.KeyUnavailableError,
    errors.KeyFileError,
    errors.KeyInUseError,
    errors.SealError,
    errors.InvalidPayloadError,
    errors.UnknownKindError,
    errors.IdempotencyConflictError,
    errors.UnknownRecordError,
    errors.UnknownSubjectError,
    errors.PayloadMissingError,
    errors.LogError,
    errors.UnknownLogError,
    errors.LogExistsError,
    errors.UnknownEntryError,
    errors.UnknownCheckpointError,
    errors.FencedError,
    errors.ClockError,
    errors.CorruptLogError,
    errors.ChainError,
    errors.ChainRefusedError,
    errors.ChainReplacedError,
    errors.ContractReplacedError,
    errors.ContractRevertedError,
    errors.ChainAheadError,
    errors.RollbackDetectedError,
    errors.ChainFileError,
    errors.ChainFileInUseError,
    errors.RpcError,
    errors.OrganizationExistsError,
    errors.ForeignFormError,
    errors.UnknownKeyError,
    errors.NotFoundError,
    errors.BodyTooLargeError,
    errors.TooManyRowsError,
    errors.UnsupportedMediaTypeError,
    errors.MethodNotAllowedError,
    errors.InternalError,
    errors.WebhookExistsError,
    errors.WebhookLimitError,
    errors.DeliveryError,
)

EXIT_OF: Final[Mapping[str, int]] = {
    **{kind.code: FAILED for kind in _FAILURES},
    **{kind.code: code for code, kinds in _EXITS.items() for kind in kinds},
}


def exit_of(error: errors.LedgerError) -> int:
    """The exit code of an error."""
    return EXIT_OF.get(error.code, FAILED)
