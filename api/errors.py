"""Errors as RFC 9457 problems: one table from stable codes to HTTP statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from flask import Response

from ledger_service import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEM_TYPE: Final = "application/problem+json"

# 4xx where the fault is the caller's, 5xx where it is ours; 503: the same call may succeed later.
_STATUSES: Final[Mapping[HTTPStatus, tuple[type[errors.LedgerError], ...]]] = {
    HTTPStatus.BAD_REQUEST: (
        errors.MalformedError,
        errors.BadNameError,
        errors.BadRequestError,
        errors.DuplicateParameterError,
        errors.IdempotencyKeyMissingError,
        errors.UsageError,
        errors.WebhookUrlError,
    ),
    HTTPStatus.UNAUTHORIZED: (errors.UnauthenticatedError,),
    HTTPStatus.FORBIDDEN: (errors.ForeignFormError, errors.ScopeMissingError),
    HTTPStatus.NOT_FOUND: (
        errors.NotFoundError,
        errors.UnknownKeyError,
        errors.UnknownRecordError,
        errors.UnknownSubjectError,
        errors.UnknownLogError,
        errors.UnknownEntryError,
        errors.UnknownCheckpointError,
        errors.TileMissingError,
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (errors.MethodNotAllowedError,),
    HTTPStatus.CONFLICT: (
        errors.KeyInUseError,
        errors.OrganizationExistsError,
        errors.LogExistsError,
        errors.NotSequencedError,
        errors.StateConflictError,
        errors.WebhookExistsError,
        errors.WebhookLimitError,
    ),
    HTTPStatus.GONE: (errors.PayloadMissingError,),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (errors.BodyTooLargeError, errors.TooManyRowsError),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (errors.UnsupportedMediaTypeError,),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        errors.InvalidPayloadError,
        errors.UnknownKindError,
        errors.UnknownReasonError,
        errors.TargetError,
        errors.IdempotencyConflictError,
        errors.CommitmentError,
        errors.InclusionError,
        errors.ConsistencyError,
        errors.SignatureError,
        errors.PolicyError,
        errors.EvidenceError,
        errors.CouldNotCheckError,
        errors.AnchorError,
        errors.PaperTooLongError,
    ),
    HTTPStatus.INSUFFICIENT_STORAGE: (errors.DiskFullError,),
    HTTPStatus.TOO_MANY_REQUESTS: (errors.RateLimitedError,),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        errors.NotReadyError,
        errors.StorageBusyError,
        errors.StorageUnavailableError,
        errors.StorageFatalError,
        errors.DamagedDataError,
        errors.KeyUnavailableError,
        errors.KeyFileError,
        errors.SealError,
        errors.PreparationError,
        errors.LogError,
        errors.FencedError,
        errors.ClockError,
        errors.CorruptLogError,
        errors.OverloadedError,
        errors.PapersUnavailableError,
        errors.StoppedError,
        errors.OutcomeUnknownError,
        errors.ChainUnavailableError,
        errors.BlockGoneError,
        errors.ChainReplacedError,
        errors.ContractReplacedError,
        errors.ChainAheadError,
        errors.RollbackDetectedError,
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        errors.LedgerError,
        errors.InternalError,
        errors.SettingsError,
        errors.StorageError,
        errors.UnsafeStorageError,
        errors.SchemaError,
        errors.InjectedFaultError,
        errors.ChainError,
        errors.ChainRefusedError,
        errors.ContractRevertedError,
        errors.ChainFileError,
        errors.ChainFileInUseError,
        errors.RpcError,
        errors.DeliveryError,
    ),
}

STATUS_OF: Final[Mapping[str, int]] = {
    kind.code: int(status) for status, kinds in _STATUSES.items() for kind in kinds
}


def status_of(error: errors.LedgerError) -> int:
    """The HTTP status of an error; a code without a line in the table is our defect, so 500."""
    return STATUS_OF.get(error.code, int(HTTPStatus.INTERNAL_SERVER_ERROR))


def format_problem(error: errors.LedgerError) -> dict[str, object]:
    """The RFC 9457 problem of an error. `code` never changes its meaning; `detail` may change its words."""
    status = status_of(error)
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error.code,
        "detail": error.message if status == HTTPStatus.INTERNAL_SERVER_ERROR else error.text,
    }
    # What a server fault says of itself is for our log, not for the caller.
    if error.details and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        problem["errors"] = error.details
    return problem


def problem_response(error: errors.LedgerError) -> Response:
    """The problem as an HTTP answer. Equal errors give equal bytes: nothing tells requests apart."""
    problem = format_problem(error)
    status = status_of(error)
    response = Response(orjson.dumps(problem, default=str), status=status, content_type=PROBLEM_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="audit-ledger"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    if isinstance(error, errors.RateLimitedError):
        # Only where something is refused: a count in every answer would tell equal answers apart.
        name, each_minute, wait_s = (error.details[n] for n in ("budget", "per_minute", "retry_after_s"))
        response.headers["Retry-After"] = str(wait_s)
        response.headers["RateLimit-Policy"] = f'"{name}";q={each_minute};w=60'
        response.headers["RateLimit"] = f'"{name}";r=0;t={wait_s}'
    return response


def all_errors() -> tuple[type[errors.LedgerError], ...]:
    """Every class of the tree, in the order of their names."""
    found = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.LedgerError)
    ]
    return tuple(dict.fromkeys(found))
