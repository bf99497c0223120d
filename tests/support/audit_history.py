"""Two signed audit reports made of a fixed key, for the vector and for tests of their format."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.log.audit_reports import ReportSigner
from ledger_service.proofs.audit_report import (
    AuditedLog,
    KeptRows,
    ReportedFinding,
    SignedReport,
    audit_report_hash,
)
from ledger_service.proofs.types import Origin, RootHash, TreeSize

if TYPE_CHECKING:
    from ledger_service.proofs.note import VerifierKey

AUDITED: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIGNER: Final = ReportSigner(Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))


def make_report(number: int = 0, *, previous: bytes | None = None, findings: int = 0) -> SignedReport:
    """A report on one log."""
    found = ReportedFinding(
        "tile_wrong", "ledger.test/logs/shop/purchases tile 0/0", "1 of 3 hashes differ", AUDITED
    )
    return SignedReport(
        number=number,
        time=AUDITED + timedelta(days=number),
        tool="audit-ledger 0.1.0",
        scope=("chain", "payloads"),
        finished=True,
        logs=(
            AuditedLog(
                Origin("ledger.test/logs/shop/purchases"),
                TreeSize(3),
                RootHash(bytes([1]) * 32),
                bytes([2]) * 32,
            ),
        ),
        looked_at=(("entries", 3), ("tiles", 1)),
        kept=(KeptRows("organizations", 1, bytes([3]) * 32),),
        count=findings,
        findings=(found,) * findings,
        previous=previous,
    )


def make_history() -> tuple[list[bytes], VerifierKey]:
    """A clean report, one with a finding that follows it, and the key that signed both."""
    first = SIGNER.sign(make_report())
    return [first, SIGNER.sign(make_report(1, previous=audit_report_hash(first), findings=1))], SIGNER.vkey
