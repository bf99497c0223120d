"""The certificate of an erasure: what was destroyed, when, and from when on no backup holds it.

    {entries, erased, org, pages, reason, records, signatures, unrecoverable, v}

`entries` points at the `erasure/v1` entry of each log concerned, one a log, by the log's name. It does not name
the person. The status key of each of these logs signs "audit-ledger/erasure-certificate/v1" || 0x00 || the
canonical certificate without its signatures: status keys are the ones that say what has become of records in
a log, and a verifier has them pinned already.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.errors import CouldNotCheckError, MalformedError
from ledger_service.proofs.canonical import (
    JsonValue,
    decode,
    encode,
    encode_base64url,
    format_time,
    parse_time,
)
from ledger_service.proofs.entry import ORGANIZATION, Pointer, format_pointer, parse_pointer
from ledger_service.proofs.note import VerifierKey, check_ed25519_signature
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.status import REASON, SignedProof, status_key_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

CERTIFICATE_VERSION: Final = "audit-ledger/erasure-certificate/v1"
OVERWRITTEN: Final = "overwritten"
VACUUMED: Final = "vacuumed"
PENDING: Final = "pending"
PAGES: Final = (OVERWRITTEN, PENDING, VACUUMED)

_LABEL = CERTIFICATE_VERSION.encode() + b"\x00"
_MEMBERS = (
    "v", "org", "reason", "erased", "unrecoverable", "records", "entries", "pages", "signatures",
)  # fmt: skip
_KEY = re.compile(r"[^+]+\+[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class ErasureCertificate:
    """Contents of `records` records were destroyed in service at `erased`.

    From `unrecoverable` on no backup of the operator's holds them. `pages` says what is left in the database's
    own files: `overwritten` (nothing), `pending` (a reader still kept old pages; they are overwritten when it
    ends), `vacuumed` (freed, and sealed under keys that are gone, until the server uses the space again).
    Raises MalformedError when a member is not in its form.
    """

    org: str
    reason: str
    erased: datetime
    unrecoverable: datetime
    records: int
    entries: tuple[Pointer, ...]
    pages: str
    signatures: tuple[SignedProof, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what says nothing or contradicts itself."""
        text_of(self.org, what="org", pattern=ORGANIZATION)
        text_of(self.reason, what="reason", pattern=REASON)
        if self.pages not in PAGES or self.unrecoverable < self.erased:
            raise MalformedError("The certificate's pages or times are not in their form.")
        logs = [each.log for each in self.entries]
        if not logs or any(left >= right for left, right in itertools.pairwise(logs)):
            raise MalformedError("The certificate does not name its logs, in order, each once.")


def certificate_message(certificate: ErasureCertificate) -> bytes:
    """Return the bytes that the status keys sign."""
    return _LABEL + encode(_body(certificate))


def format_certificate(certificate: ErasureCertificate) -> bytes:
    """Return the certificate's bytes; raises MalformedError unless there is a signature for each log."""
    if len(certificate.signatures) != len(certificate.entries):
        raise MalformedError("The certificate lacks a signature.")
    signatures = [{"key": each.key, "sig": encode_base64url(each.sig)} for each in certificate.signatures]
    return encode({**_body(certificate), "signatures": signatures})


def parse_certificate(data: bytes) -> ErasureCertificate:
    """Return the certificate that `format_certificate` writes as `data`; raises MalformedError."""
    members = object_of(decode(data), _MEMBERS, what="The certificate")
    if members["v"] != CERTIFICATE_VERSION:
        raise MalformedError("The certificate is of an unknown version.")
    certificate = ErasureCertificate(
        org=text_of(members["org"], what="org"),
        reason=text_of(members["reason"], what="reason"),
        erased=parse_time(text_of(members["erased"], what="erased")),
        unrecoverable=parse_time(text_of(members["unrecoverable"], what="unrecoverable")),
        records=integer_of(members["records"], what="records", at_least=1),
        entries=tuple(parse_pointer(each) for each in list_of(members["entries"], what="entries")),
        pages=text_of(members["pages"], what="pages"),
        signatures=tuple(
            _parse_signature(each) for each in list_of(members["signatures"], what="signatures")
        ),
    )
    if len(certificate.signatures) != len(certificate.entries):
        raise MalformedError("The certificate lacks a signature.")
    return certificate


def check_certificate(data: bytes, keys: Sequence[VerifierKey]) -> ErasureCertificate:
    """Return the certificate, once the status key of each of its logs, which `keys` must hold, has signed it.

    Raises MalformedError, CouldNotCheckError for a key that is not known, SignatureError.
    """
    certificate = parse_certificate(data)
    message = certificate_message(certificate)
    for entry, signature in zip(certificate.entries, certificate.signatures, strict=True):
        for key in keys:
            if key.name == status_key_name(entry.log) and signature.key == f"{key.name}+{key.key_id.hex()}":
                check_ed25519_signature(message, signature=signature.sig, key=key)
                break
        else:
            raise CouldNotCheckError("The certificate is signed by an unknown key.", log=entry.log)
    return certificate


def _body(certificate: ErasureCertificate) -> dict[str, JsonValue]:
    return {
        "v": CERTIFICATE_VERSION,
        "org": certificate.org,
        "reason": certificate.reason,
        "erased": format_time(certificate.erased),
        "unrecoverable": format_time(certificate.unrecoverable),
        "records": certificate.records,
        "entries": [format_pointer(each) for each in certificate.entries],
        "pages": certificate.pages,
    }


def _parse_signature(value: JsonValue) -> SignedProof:
    members = object_of(value, ("key", "sig"), what="A signature")
    return SignedProof(
        text_of(members["key"], what="key", pattern=_KEY), bytes_of(members["sig"], what="sig", size=64)
    )
