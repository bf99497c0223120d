"""Signed reports of verifications: the server's verdict as a document that others can keep."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING

from ledger_service.log.note_signer import NoteSigner
from ledger_service.proofs.canonical import decode
from ledger_service.proofs.verdict import format_verdict
from ledger_service.proofs.verification_report import (
    VERIFICATION_KEY_NAME,
    VerificationReport,
    report_text,
    signed_report,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ledger_service.proofs.note import VerifierKey
    from ledger_service.proofs.verdict import Verdict
    from ledger_service.verification.judge import Judge


@dataclass(frozen=True, slots=True)
class Reported:
    """A verdict, the report on it, and that report signed by `vkey`."""

    verdict: Verdict
    report: VerificationReport
    document: bytes
    vkey: VerifierKey


class VerificationSigner:
    """Signs reports with a key that signs nothing else."""

    __slots__ = ("_notes", "vkey")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Sign with `key`."""
        self._notes = NoteSigner(VERIFICATION_KEY_NAME, key)
        self.vkey = self._notes.vkey

    def sign(self, report: VerificationReport) -> bytes:
        """The signed report; raises MalformedError for one that is too large."""
        return signed_report(self._notes.sign(report_text(report)))


class Reporter:
    """Judges evidence and signs what came of it."""

    __slots__ = ("_judge", "_load_key", "_lock", "_signer")

    def __init__(self, judge: Judge, *, load_key: Callable[[], Ed25519PrivateKey]) -> None:
        """`load_key` is called once, for the first report."""
        self._judge = judge
        self._load_key = load_key
        self._signer: VerificationSigner | None = None
        self._lock = threading.Lock()

    @property
    def vkey(self) -> VerifierKey:
        """The key that checks the reports; raises KeyFileError or KeyUnavailableError."""
        return self._loaded().vkey

    def report(
        self, evidence: bytes, *, at: datetime | None = None, known_at: datetime | None = None
    ) -> Reported:
        """Judge evidence of any bytes and sign the verdict.

        Raises KeyFileError, KeyUnavailableError, and MalformedError for evidence that shows too much to be signed.
        """
        signer = self._loaded()
        heard = self._judge.hear(evidence, at=at, known_at=known_at)
        verdict = decode(format_verdict(heard.verdict))
        assert isinstance(verdict, dict)
        report = VerificationReport(
            tool=f"audit-ledger {version('audit-ledger')}",
            evidence=sha256(evidence).digest(),
            policy=heard.policy_sha256,
            trust=heard.trust_sha256,
            verdict=verdict,
        )
        return Reported(heard.verdict, report, signer.sign(report), signer.vkey)

    def _loaded(self) -> VerificationSigner:
        with self._lock:
            if self._signer is None:
                self._signer = VerificationSigner(self._load_key())
            return self._signer
