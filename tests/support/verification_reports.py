"""A signed report of a verification made of a fixed key, for the vector and for tests of its format."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.proofs.canonical import decode
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.trust import format_trust
from ledger_service.proofs.verdict import format_verdict
from ledger_service.proofs.verification_report import VerificationReport
from ledger_service.proofs.verify import verify
from ledger_service.verification.reports import VerificationSigner

if TYPE_CHECKING:
    from tests.support.evidence_factory import EvidenceFactory

SIGNER: Final = VerificationSigner(Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))


def make_verification(factory: EvidenceFactory, record: int) -> tuple[bytes, VerificationReport]:
    """Evidence of a record, and the report on it."""
    evidence = factory.document(record)
    verdict = decode(
        format_verdict(verify(evidence, policy=factory.policy, trust=factory.trust, now=factory.now))
    )
    assert isinstance(verdict, dict)
    policy, trust = (
        sha256(each).digest() for each in (format_policy(factory.policy), format_trust(factory.trust))
    )
    return evidence, VerificationReport("audit-ledger 0", sha256(evidence).digest(), policy, trust, verdict)
