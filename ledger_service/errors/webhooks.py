"""Webhooks: where events may go, and why one did not arrive."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


class WebhookUrlError(LedgerError):
    """A URL to which no event is ever sent."""

    code = "webhook_url"
    message = "A webhook's URL is https://host.name/path: in ASCII, the host in lower case, without user and fragment."


class WebhookExistsError(LedgerError):
    """A second endpoint of one organization with the same URL."""

    code = "webhook_exists"
    message = "The organization has an endpoint with this URL already."


class WebhookLimitError(LedgerError):
    """One endpoint more than an organization may have."""

    code = "webhook_limit"
    message = "The organization has as many endpoints as it may have."


class DeliveryError(LedgerError):
    """An attempt to deliver an event that did not succeed. It never repeats what the receiver said."""

    code = "delivery_failed"
    message = "The event was not delivered."
