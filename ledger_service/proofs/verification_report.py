"""The signed report of a verification: which evidence was judged, by which beliefs, when, and the whole verdict.

One canonical JSON document. Its `signature` is the signature line of a C2SP signed note whose text is the document
without that member, ended by a newline, and whose key is named `audit-ledger/verifications`. It is the word of whoever
runs the ledger that made it; the evidence itself can always be checked again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.canonical import MAX_DEPTH, decode, encode, encode_base64url
from ledger_service.proofs.note import VerifierKey, check_ed25519, parse_note
from ledger_service.proofs.shapes import bytes_of, object_of, text_of
from ledger_service.proofs.verdict import RESULTS, VERDICT_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.verdict import Result

VERIFICATION_REPORT_VERSION: Final = "audit-ledger/verification-report/v1"
VERIFICATION_KEY_NAME: Final = "audit-ledger/verifications"

_SIGNATURE: Final = "signature"
_MEMBERS: Final = ("v", "tool", "evidence", "policy", "trust", "verdict")
_ONE_LINE: Final = re.compile(r"[^\n]+")
_HASH: Final = 32
# A verdict stands one level deeper here than by itself.
_DEPTH: Final = MAX_DEPTH + 1


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What was found. `evidence`, `policy` and `trust` are SHA-256 of the documents, 32 bytes.

    Without `policy` and `trust` nobody told the judge which keys to believe. `verdict` is what `format_verdict`
    writes.
    """

    tool: str
    evidence: bytes
    policy: bytes | None
    trust: bytes | None
    verdict: Mapping[str, JsonValue]

    @property
    def result(self) -> Result:
        """The verdict's answer."""
        return cast("Result", self.verdict["result"])


def report_text(report: VerificationReport) -> str:
    """Return the text to sign; raises MalformedError."""
    document: JsonValue = {
        "v": VERIFICATION_REPORT_VERSION,
        "tool": report.tool,
        "evidence": encode_base64url(report.evidence),
        "policy": None if report.policy is None else encode_base64url(report.policy),
        "trust": None if report.trust is None else encode_base64url(report.trust),
        "verdict": report.verdict,
    }
    _parse(object_of(document, _MEMBERS, what="The report"))
    return encode(document, max_depth=_DEPTH).decode() + "\n"


def signed_report(note: bytes) -> bytes:
    """Return the document of a note with one signature whose text is that of a report; raises MalformedError."""
    text, _, signature = note.decode().partition("\n\n")
    document = object_of(decode(text.encode(), max_depth=_DEPTH), _MEMBERS, what="The report")
    return encode({**document, _SIGNATURE: signature.removesuffix("\n")}, max_depth=_DEPTH)


def check_verification_report(data: bytes, key: VerifierKey) -> VerificationReport:
    """Return what a signed report says, once `key`, that of the ledger which made it, has signed it.

    Raises MalformedError, or SignatureError when the key did not sign.
    """
    if key.name != VERIFICATION_KEY_NAME:
        raise SignatureError("The key does not sign reports of verifications.", key=key.name)
    document = decode(data, max_depth=_DEPTH)
    members = dict(object_of(document, (*_MEMBERS, _SIGNATURE), what="The report"))
    signature = text_of(members.pop(_SIGNATURE), what=_SIGNATURE, pattern=_ONE_LINE)
    check_ed25519(parse_note(encode(members, max_depth=_DEPTH) + f"\n\n{signature}\n".encode()), key)
    return _parse(members)


def check_evidence_of(report: VerificationReport, evidence: bytes) -> None:
    """Raise SignatureError unless the report is about exactly this evidence."""
    if sha256(evidence).digest() != report.evidence:
        raise SignatureError("The report is about other evidence.")


def _parse(members: Mapping[str, JsonValue]) -> VerificationReport:
    if members["v"] != VERIFICATION_REPORT_VERSION:
        raise MalformedError(f"The document is no {VERIFICATION_REPORT_VERSION}.")
    verdict = members["verdict"]
    if not isinstance(verdict, dict) or verdict.get("v") != VERDICT_VERSION:
        raise MalformedError(f"verdict is no {VERDICT_VERSION}.")
    if verdict.get("result") not in RESULTS:
        raise MalformedError("verdict has no result that there is.")
    return VerificationReport(
        tool=text_of(members["tool"], what="tool"),
        evidence=bytes_of(members["evidence"], what="evidence", size=_HASH),
        policy=_hash_of(members["policy"], what="policy"),
        trust=_hash_of(members["trust"], what="trust"),
        verdict=verdict,
    )


def _hash_of(value: JsonValue, *, what: str) -> bytes | None:
    return None if value is None else bytes_of(value, what=what, size=_HASH)
