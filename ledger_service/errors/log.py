"""The log, its sequencer and its readers."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


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
