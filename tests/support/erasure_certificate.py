"""An erasure certificate made of fixed keys, for the vector and for tests of its format."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.erasure import (
    OVERWRITTEN,
    ErasureCertificate,
    certificate_message,
    format_certificate,
)
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin
from ledger_service.verification.status import StatusSigner

if TYPE_CHECKING:
    from ledger_service.proofs.note import VerifierKey

LOGS = (Origin("ledger.test/logs/shop/completions"), Origin("ledger.test/logs/shop/purchases"))
ERASED = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_certificate(*, pages: str = OVERWRITTEN) -> tuple[bytes, tuple[VerifierKey, ...]]:
    """A certificate over two logs, and the status keys that signed it."""
    signers = [
        StatusSigner(log, Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))
        for n, log in enumerate(LOGS, 1)
    ]
    certificate = ErasureCertificate(
        org="shop",
        reason="subject_request",
        erased=ERASED,
        unrecoverable=ERASED + timedelta(days=35),
        records=3,
        entries=tuple(Pointer(log, LeafIndex(n), LeafHash(bytes([n]) * 32)) for n, log in enumerate(LOGS, 7)),
        pages=pages,
    )
    message = certificate_message(certificate)
    signed = replace(certificate, signatures=tuple(each.certify(message) for each in signers))
    return format_certificate(signed), tuple(each.vkey for each in signers)
