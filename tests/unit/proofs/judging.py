"""What the tests of the verdict share: one log, its evidence, and short words for asking and reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ledger_service.errors import CouldNotCheckError
from ledger_service.proofs.evidence import Evidence, format_evidence
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory

if TYPE_CHECKING:
    from ledger_service.proofs.chain_view import AnchorFinding, ChainStatus
    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.note import Note, VerifierKey
    from ledger_service.proofs.schema import Schema
    from ledger_service.proofs.trust import TrustedAnchor
    from ledger_service.proofs.verdict import Verdict

FACTORY = EvidenceFactory(records=12)
EVIDENCE = FACTORY.evidence(5)
DAY = timedelta(days=1)
REQUIRE_ANCHOR = replace(FACTORY.trust, required=(1, 2, 3, 4, 5, 6, 7))


def judge(
    evidence: Evidence | bytes = EVIDENCE,
    *,
    factory: EvidenceFactory = FACTORY,
    trust: Any = None,
    **question: Any,
) -> Verdict:
    """The verdict under the factory's own policy and trust file, offline unless a chain is given."""
    data = evidence if isinstance(evidence, bytes) else format_evidence(evidence)
    question = {"now": factory.now} | question
    return verify(data, policy=factory.policy, trust=factory.trust if trust is None else trust, **question)


def outcomes(verdict: Verdict) -> str:
    """One character for each step: + passed, - failed, ? could not be checked."""
    return "".join({"pass": "+", "fail": "-", "could not check": "?"}[step.outcome] for step in verdict.steps)


def detail(verdict: Verdict, number: int) -> str:
    """What a step says."""
    return verdict.steps[number - 1].detail


class DeadChain:
    """A node that does not answer."""

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:  # noqa: ARG002 - the protocol's
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:  # noqa: ARG002 - the protocol's
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")

    def check_eip712_line(self, note: Note, key: VerifierKey) -> None:  # noqa: ARG002 - the protocol's
        """Fail to answer."""
        raise CouldNotCheckError("No answer.")


def other_schema_factory(schema: Schema, values: dict[str, Any], **claim: Any) -> EvidenceFactory:
    """A log whose entry 1 is of another schema."""
    factory = EvidenceFactory("other", records=1)
    factory.schema = schema
    factory.add_record(values, **claim)
    return factory
