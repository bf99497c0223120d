"""Records on their way in."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


class InvalidPayloadError(LedgerError):
    """A payload that breaks the rules of its kind; `details["fields"]` lists `{"field", "problem"}`, never values."""

    code = "invalid_payload"
    message = "The payload breaks the rules of its kind."

    def __str__(self) -> str:
        """The text, and field by field what is wrong."""
        fields = self.details.get("fields")
        listed = fields if isinstance(fields, list | tuple) else ()
        problems = "; ".join(
            f"{each.get('field')} {each.get('problem')}" for each in listed if isinstance(each, dict)
        )
        return f"{self.text} {problems}".rstrip()


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


class UnknownSubjectError(LedgerError):
    """A data subject of whom nothing is kept, or nothing any more."""

    code = "unknown_subject"
    message = "Nothing is kept of this data subject."


class PayloadMissingError(LedgerError):
    """A record whose payload, salt or key is gone, so that its contents cannot be shown any more."""

    code = "payload_missing"
    message = "The contents of this record are gone."


class PreparationError(LedgerError):
    """Worker processes that prepare records and have died. Nothing was stored."""

    code = "preparation_failed"
    message = "Preparing the records failed. Nothing was stored."


class UnknownReasonError(LedgerError):
    """A reason of a status change that is not in the one list of them."""

    code = "unknown_reason"
    message = "There is no such reason."


class TargetError(LedgerError):
    """A record that cannot be pointed at: not one of the same log, or of a kind that takes no such change."""

    code = "bad_target"
    message = "The record that this one is about does not take it."


class StateConflictError(LedgerError):
    """A change that the record's present state does not allow: a final state stays, and nothing happens twice."""

    code = "state_conflict"
    message = "The record's present state does not allow this change."
