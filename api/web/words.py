"""What people call the codes of the ledger, and how moments and numbers are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from api.web.languages import noted as _

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "people": {
        "Genuine": _("Genuine"),
        "Not genuine": _("Not genuine"),
        "Cannot tell": _("Cannot tell"),
    },
    "result": {
        "valid": _("Every required check passed."),
        "revoked": _("The record was revoked."),
        "suspended": _("The record is suspended at present."),
        "refunded": _("The purchase was refunded."),
        "superseded": _("The record was superseded: another one took its place."),
        "withdrawn": _("The record was withdrawn."),
        "expired": _("The record's validity period is over."),
        "invalid": _("A check failed: what is shown was changed, or never stood in the ledger as claimed."),
        "unknown": _("A required check could not be made, so nothing is said either way."),
    },
    "next": {
        "valid": _("Compare the record with what you were told. What this does not prove stands below."),
        "revoked": _("Do not rely on it. Ask the issuer why; the reason and the date stand in the history."),
        "suspended": _("Do not rely on it for now. It may become active again; the history says since when."),
        "refunded": _("The money went back; the history says when and why."),
        "superseded": _("Look at the record that took its place; the history links it."),
        "withdrawn": _("Do not use this version. The history says when it was withdrawn and why."),
        "expired": _("Ask the issuer for a newer record."),
        "invalid": _("Do not rely on it. Ask for the evidence again, from the issuer directly."),
        "unknown": _("Try again later, or check with the evidence, the policy and the trust file offline."),
    },
    "scope": {
        "entry only": _("No contents were shown: this is about the entry alone."),
        "some fields": _("Some of the fields were shown and belong to the entry."),
        "all fields": _("All fields were shown and belong to the entry."),
    },
    "step": {
        "1": _("The evidence can be read"),
        "2": _("The fields shown belong to this record"),
        "3": _("The record is the one the ledger hashed"),
        "4": _("It stands in the signed log"),
        "5": _("The log's operator signed it"),
        "6": _("The signed log is anchored on a chain"),
        "7": _("Its status"),
        "8": _("What this kind of record adds"),
    },
    "meaning": {
        "1": _("Every part of the evidence is in its one exact form."),
        "2": _("Each field that is shown, with its random salt, hashes to the commitment in the entry."),
        "3": _("The entry's bytes hash to the leaf that proof and status speak of, in the log it names."),
        "4": _("The leaf and the hashes beside its path give the root that the checkpoint states."),
        "5": _("The checkpoint carries the signatures that the policy asks for."),
        "6": _("A contract on a chain accepted exactly this checkpoint, in a block that is named."),
        "7": _("A signed statement says what the status was and is; silence counts as unknown."),
        "8": _("The digest of a file, a validity period: whatever the kind of record has besides."),
    },
    "outcome": {
        "pass": _("passed"),
        "fail": _("failed"),
        "could not check": _("could not be checked"),
    },
    "stage": {
        "accepted": _("accepted"),
        "sequenced": _("sequenced"),
        "published": _("published"),
        "anchored": _("anchored"),
        "final": _("final"),
    },
    "status": {
        "active": _("active"),
        "suspended": _("suspended"),
        "revoked": _("revoked"),
        "refunded": _("refunded"),
        "superseded": _("superseded"),
        "withdrawn": _("withdrawn"),
    },
    "kind": {
        "purchase/v1": _("Purchase"),
        "refund/v1": _("Refund"),
        "completion/v1": _("Course completion"),
        "dataset/v1": _("Data set"),
        "status/v1": _("Status change"),
        "correction/v1": _("Correction"),
        "erasure/v1": _("Erasure"),
        "opening/v1": _("Opening of the log"),
    },
    "collection": {
        "purchases": _("Purchases"),
        "refunds": _("Refunds"),
        "completions": _("Course completions"),
        "datasets": _("Data sets"),
    },
    "one of": {
        "purchases": _("a purchase"),
        "refunds": _("a refund"),
        "completions": _("a course completion"),
        "datasets": _("a data set"),
    },
    "reason": {
        "recorded": _("recorded"),
        "unspecified": _("no reason given"),
        "holder_request": _("the holder asked for it"),
        "issuer_decision": _("the issuer decided so"),
        "entered_in_error": _("entered in error"),
        "replaced": _("replaced"),
        "key_compromise": _("a key was compromised"),
        "under_review": _("under review"),
        "review_closed": _("review closed"),
        "requirements_not_met": _("requirements not met"),
        "integrity": _("academic or data integrity"),
        "legal": _("legal reasons"),
        "source_changed": _("the source changed"),
        "returned": _("goods returned"),
        "cancelled": _("cancelled"),
        "not_delivered": _("not delivered"),
        "defective": _("defective"),
        "charged_twice": _("charged twice"),
        "disputed": _("disputed"),
        "goodwill": _("goodwill"),
    },
    "grade": {
        "proven by a node now": _("proven by a node now"),
        "proven to a block hash you pinned": _("proven to a pinned block hash"),
        "stated only": _("stated only"),
    },
    "mirror": {
        "mirrored": _("in the contract"),
        "refused": _("refused by the contract"),
        "waiting": _("waits for the contract"),
    },
    "paper": {
        "purchase/v1": _("Receipt for a purchase"),
        "refund/v1": _("Receipt for a refund"),
        "completion/v1": _("Certificate of completion"),
        "dataset/v1": _("Notarization certificate"),
        "status/v1": _("Notice of a status change"),
        "correction/v1": _("Notice of a correction"),
        "erasure/v1": _("Notice of an erasure"),
        "opening/v1": _("Opening of the log"),
    },
    "field": {
        "accepted": _("Accepted"),
        "from": _("From"),
        "to": _("To"),
    },
}


def format_when(moment: datetime | int) -> str:
    """A moment, or seconds since 1970, as everybody reads it: 2026-11-22 01:02:03 UTC."""
    if isinstance(moment, int):
        moment = datetime.fromtimestamp(moment, UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def show_when(moment: datetime | int | None) -> Markup:
    """The same as an element that programs read as well."""
    if moment is None:
        return Markup("—")
    text = format_when(moment)
    return Markup('<time datetime="{}">{}</time>').format(f"{text[:10]}T{text[11:19]}Z", text)


def format_number(number: int) -> str:
    """A whole number with its thousands apart by a thin space, as both languages read it."""
    return f"{number:,}".replace(",", "\u202f")
