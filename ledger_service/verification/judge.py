"""The server's own verdict, by the kernel that outsiders use, with what the server itself knows as trust."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ledger_service.errors import LedgerError, UnknownLogError
from ledger_service.log.directory import find_log
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.policy import Policy, format_policy
from ledger_service.proofs.trust import Trust, TrustedLog, format_trust
from ledger_service.proofs.verify import verify
from ledger_service.verification.trust_documents import (
    head_keys_of,
    policy_of,
    required_steps,
    trusted_anchors,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger_service.clock import Clock
    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.chain_view import ChainView
    from ledger_service.proofs.note import VerifierKey
    from ledger_service.proofs.types import Origin
    from ledger_service.proofs.verdict import Verdict
    from ledger_service.storage.engine import Database

_NOBODY: Final = Policy((), (), (), "none")


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """Who keeps a log, from our registry, and the keys that speak for it beside its checkpoints' keys.

    Those of today come first.
    """

    issuer_name: str
    status: tuple[VerifierKey, ...]
    acceptance: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and SHA-256 of the policy and the trust file that it believed; None for a log that is not ours."""

    verdict: Verdict
    policy_sha256: bytes | None
    trust_sha256: bytes | None


@dataclass(frozen=True, slots=True)
class TrustDocuments:
    """What an outsider needs beforehand to check a log's evidence. `anchored`: a contract is named in it."""

    policy: bytes
    trust: bytes
    anchored: bool


class Judge:
    """Gives verdicts and the documents that others need to give theirs."""

    __slots__ = ("_chain_view", "_clock", "_database", "_issuer_keys")

    def __init__(
        self,
        database: Database,
        *,
        issuer_keys: Callable[[LogRow], IssuerKeys],
        chain_view: ChainView | None,
        clock: Clock,
    ) -> None:
        """`issuer_keys(log)` knows who keeps a log of ours, `chain_view` looks at the chain."""
        self._database = database
        self._issuer_keys = issuer_keys
        self._chain_view = chain_view
        self._clock = clock

    def judge(
        self, evidence: bytes, *, at: datetime | None = None, known_at: datetime | None = None
    ) -> Verdict:
        """The verdict on evidence of any bytes. For a log that is not ours it is at best `unknown`.

        So it is where our own documents cannot be had at the moment.
        """
        try:
            return self.hear(evidence, at=at, known_at=known_at).verdict
        except LedgerError:
            return self._verify(evidence, None, at=at, known_at=known_at)

    def hear(
        self, evidence: bytes, *, at: datetime | None = None, known_at: datetime | None = None
    ) -> Judgement:
        """The verdict as `judge` gives it, and what it rests on.

        Raises StorageError, KeyFileError, KeyUnavailableError where what we know of the log cannot be had.
        """
        believed = self._beliefs(evidence)
        verdict = self._verify(evidence, believed, at=at, known_at=known_at)
        if believed is None:
            return Judgement(verdict, None, None)
        policy, trust = believed
        return Judgement(
            verdict, sha256(format_policy(policy)).digest(), sha256(format_trust(trust)).digest()
        )

    def _verify(
        self,
        evidence: bytes,
        believed: tuple[Policy, Trust] | None,
        *,
        at: datetime | None,
        known_at: datetime | None,
    ) -> Verdict:
        policy, trust = believed or (_NOBODY, Trust(()))
        return verify(
            evidence,
            policy=policy,
            trust=trust,
            now=self._clock.now(),
            at=at,
            known_at=known_at,
            chain_view=self._chain_view,
        )

    def documents(self, origin: Origin) -> TrustDocuments:
        """Policy and trust file of one of our logs; raises UnknownLogError."""
        policy, trust = self._documents(origin)
        return TrustDocuments(format_policy(policy), format_trust(trust), bool(trust.logs[0].anchors))

    def _beliefs(self, evidence: bytes) -> tuple[Policy, Trust] | None:
        try:
            origin = parse_entry(parse_evidence(evidence).entry).claim.log
        except LedgerError:
            return None
        try:
            return self._documents(origin)
        except UnknownLogError:
            return None

    def _documents(self, origin: Origin) -> tuple[Policy, Trust]:
        with self._database.look() as conn:
            log = find_log(conn, origin)
            anchors = trusted_anchors(conn, log.id)
        keys = self._issuer_keys(log)
        known = TrustedLog(
            origin=log.origin,
            org=log.org,
            issuer_name=keys.issuer_name,
            status_keys=keys.status,
            acceptance_keys=keys.acceptance,
            head_keys=head_keys_of(log),
            anchors=anchors,
        )
        return policy_of(log), Trust((known,), required=required_steps(log))
