"""The signed acceptance: the operator's promise to sequence a record by a certain time (design section 3).

    audit-ledger/acceptance/v1
    <origin>
    <base64 leaf hash>
    accepted 2026-11-22T01:02:03Z
    sequenced-by 2026-11-22T01:03:03Z

It is a signed note whose key is named `<origin>/acceptance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.canonical import format_time, parse_time
from ledger_service.proofs.entry import ORIGIN
from ledger_service.proofs.note import VerifierKey, check_ed25519, decode_base64, encode_base64, parse_note
from ledger_service.proofs.types import LeafHash, Origin

if TYPE_CHECKING:
    from datetime import datetime

ACCEPTANCE_VERSION = "audit-ledger/acceptance/v1"

_TEXT_LINES = 5
_ACCEPTED = "accepted "
_SEQUENCED_BY = "sequenced-by "


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of this hash was accepted and will be in the log by `sequenced_by`, or the operator failed."""

    origin: Origin
    leaf: LeafHash
    accepted: datetime
    sequenced_by: datetime


def acceptance_key_name(origin: str) -> str:
    """Return the name of the key that signs a log's acceptances."""
    return f"{origin}/acceptance"


def format_acceptance_text(acceptance: Acceptance) -> str:
    """Return the note text to sign; raises MalformedError."""
    text = (
        f"{ACCEPTANCE_VERSION}\n{acceptance.origin}\n{encode_base64(acceptance.leaf)}\n"
        f"{_ACCEPTED}{format_time(acceptance.accepted)}\n{_SEQUENCED_BY}{format_time(acceptance.sequenced_by)}\n"
    )
    parse_acceptance(text)
    return text


def parse_acceptance(text: str) -> Acceptance:
    """Return the acceptance that `format_acceptance_text` writes as `text`; raises MalformedError."""
    lines = text.split("\n")
    if len(lines) != _TEXT_LINES + 1 or lines[-1] or lines[0] != ACCEPTANCE_VERSION:
        raise MalformedError(f"The text is not an {ACCEPTANCE_VERSION}.")
    _, origin, leaf, accepted, sequenced_by, _ = lines
    if not ORIGIN.fullmatch(origin):
        raise MalformedError("The origin is not in its form.")
    if not accepted.startswith(_ACCEPTED) or not sequenced_by.startswith(_SEQUENCED_BY):
        raise MalformedError("The acceptance states no times.")
    acceptance = Acceptance(
        origin=Origin(origin),
        leaf=LeafHash(decode_base64(leaf, size=32)),
        accepted=parse_time(accepted.removeprefix(_ACCEPTED)),
        sequenced_by=parse_time(sequenced_by.removeprefix(_SEQUENCED_BY)),
    )
    if acceptance.sequenced_by < acceptance.accepted:
        raise MalformedError("The acceptance promises a time before it was given.")
    return acceptance


def check_acceptance(data: bytes, key: VerifierKey) -> Acceptance:
    """Return the acceptance in a signed note, once `key`, that log's acceptance key, has signed it.

    Raises MalformedError, or SignatureError when the key is another log's or did not sign.
    """
    note = parse_note(data)
    acceptance = parse_acceptance(note.text)
    if key.name != acceptance_key_name(acceptance.origin):
        raise SignatureError("The key does not sign acceptances for this log.", key=key.name)
    check_ed25519(note, key)
    return acceptance
