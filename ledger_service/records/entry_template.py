"""Entries of one kind in one log differ in id, commitment and time only: the rest is formatted once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import encode_base64url, format_time
from ledger_service.proofs.entry import Claim, Entry, format_entry
from ledger_service.proofs.types import RecordId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.types import Origin
    from ledger_service.records.kinds import Kind

_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COMMITMENT: Final = bytes(range(32))
_ID: Final = RecordId("0123456789_audit-ledger_")


class EntryTemplate:
    """Formats entries without public fields, pointers and tags, as `proofs.entry.format_entry` does."""

    __slots__ = ("_after_commitment", "_after_id", "_after_time", "_before")

    def __init__(self, origin: Origin, org: str, kind: Kind) -> None:
        """Format one entry and cut it where entries differ; raises MalformedError."""
        claim = make_claim(origin, org, kind, record_id=_ID, commitment=_COMMITMENT, public={})
        self._before, rest = _cut(format_entry(Entry(claim, _TIME)), format_time(_TIME))
        self._after_time, rest = _cut(rest, encode_base64url(_COMMITMENT))
        self._after_commitment, self._after_id = _cut(rest, _ID)

    def format(self, record_id: RecordId, *, commitment: bytes, accepted: str) -> bytes:
        """Return the entry's bytes. `accepted` is what `format_time` writes."""
        committed = encode_base64url(commitment).encode()
        return (
            self._before
            + accepted.encode()
            + self._after_time
            + committed
            + self._after_commitment
            + record_id.encode()
            + self._after_id
        )


def make_claim(
    origin: Origin,
    org: str,
    kind: Kind,
    *,
    record_id: RecordId,
    commitment: bytes | None,
    public: Mapping[str, JsonValue],
    target: Pointer | None = None,
    previous: Pointer | None = None,
) -> Claim:
    """The claim of a record; raises MalformedError."""
    return Claim(
        log=origin,
        org=org,
        kind=kind.name,
        schema=kind.schema.hash,
        id=record_id,
        commitment=commitment,
        target=target,
        previous=previous,
        tags=(),
        public=public,
    )


def _cut(text: bytes, mark: str) -> tuple[bytes, bytes]:
    before, found, after = text.partition(mark.encode())
    # A log's name could hold the mark; then its entries are not cut but refused, which no log of ours meets.
    if not found or mark.encode() in after or mark.encode() in before:
        raise MalformedError("An entry cannot be cut at its variable parts.")
    return before, after
