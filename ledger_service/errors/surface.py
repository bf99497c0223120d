"""Callers: who they are, and what they asked for."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


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


class ForeignFormError(LedgerError):
    """A form that another site made a browser send, or that was made for another session."""

    code = "foreign_form"
    message = "This form was not made here for you, or it is too old. Open the page again."


class UnknownKeyError(LedgerError):
    """A key prefix that no key of the installation has."""

    code = "unknown_key"
    message = "No API key has this prefix."


class NotFoundError(LedgerError):
    """Something that does not exist, or exists and is not the caller's: the two answers are the same."""

    code = "not_found"
    message = "There is nothing here, or nothing that you may see."


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


class TooManyRowsError(LedgerError):
    """More rows than one stream may have. Those before are recorded; the rest goes into another stream."""

    code = "too_many_rows"
    message = "One stream has more rows than are allowed. Send the rest in another, under another key."


class UnsupportedMediaTypeError(LedgerError):
    """A body of another type than the call takes."""

    code = "unsupported_media_type"
    message = "The body is of another type than this call takes."


class RateLimitedError(LedgerError):
    """More requests than a key or an address may make. Nothing was done; `Retry-After` says when to come back."""

    code = "rate_limited"
    message = "Too many requests. Nothing was done; come back after the time in Retry-After."


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


class PapersUnavailableError(LedgerError):
    """Papers are drawn by libraries of the system that are not there. Everything else works."""

    code = "papers_unavailable"
    message = "This server cannot draw papers: the library Pango is not installed."


class PaperTooLongError(LedgerError):
    """More would have to be drawn than anybody reads on paper. The same as JSON is not bounded by it."""

    code = "paper_too_long"
    message = "This shows too much to be drawn on paper: ask for it as JSON, or for fewer fields."
