"""What verdicts say: of many pieces of evidence, and in the source of the kernel; and a request in a language."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

import ledger_service.chain.observer
from ledger_service.proofs.evidence import format_evidence
from ledger_service.proofs.status import STATES, OtherProof, StatusChange
from ledger_service.proofs.types import LeafIndex
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory, SampleChain, purchase_values
from tests.support.evidence_mutants import MutantMaker

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from flask.ctx import RequestContext

    from ledger_service.proofs.chain_view import AnchorFinding, ChainStatus
    from ledger_service.proofs.entry import Pointer
    from ledger_service.proofs.evidence import Anchor
    from ledger_service.proofs.trust import TrustedAnchor
    from ledger_service.proofs.verdict import Verdict

_PROOFS = Path(__file__).parents[2] / "ledger_service" / "proofs"
# Of certificates, reports and what only writers meet, no verdict speaks, nor of tiles.
_ELSEWHERE = {"acceptance.py", "audit_report.py", "erasure.py", "tile.py", "verification_report.py"}
_NEVER = {"TileMissingError"}
_INSIDE = {"' '.join(reasons)": "No node was asked.", "error.text": "The chain's node does not answer."}
_VALUES = {"HEADER": "c2sp.org/tlog-proof@v1"}


def in_language(code: str) -> RequestContext:
    """A request of somebody who reads this language."""
    return Flask("talk").test_request_context(f"/?lang={code}")


def sentences_of(verdict: Verdict) -> set[str]:
    """Everything that a verdict says in the kernel's words."""
    return {verdict.reason, *verdict.not_proven, *(step.detail for step in verdict.steps)}


def source_sentences() -> set[str]:
    """Every text with which the kernel, or the observer of the chain, raises, with a sample for what it holds."""
    files = [path for path in _PROOFS.glob("*.py") if path.name not in _ELSEWHERE]
    found = set()
    for path in [*files, Path(ledger_service.chain.observer.__file__)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            raised = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(raised, ast.Call) and raised.args and ast.unparse(raised.func) not in _NEVER:
                found.add(_sample(raised.args[0]))
    return found - {""}


def sample_verdicts() -> Iterator[Verdict]:
    """One of each common kind: every state, by the log, by the contract and by both, expired, offline, asked early."""
    factory = EvidenceFactory(records=9)
    factory.chain = chain = _TalkingChain()
    good = factory.evidence(5)
    quiet = replace(good, status=None)
    moment = factory.time_of(7)
    yield _judge(factory, format_evidence(good))
    yield _judge(factory, format_evidence(good), chain_view=chain)
    yield _judge(factory, format_evidence(good), chain_view=SampleChain())
    yield _judge(factory, format_evidence(quiet))
    yield _judge(factory, format_evidence(good), at=factory.time_of(1))
    yield _judge(factory, format_evidence(good), now=factory.now + timedelta(days=3))
    unsigned = replace(factory.status(5), proof=OtherProof("chain", {}))
    yield _judge(factory, format_evidence(replace(good, status=unsigned)), chain_view=chain)
    for state in STATES[1:]:
        change = StatusChange(state, moment, moment, "issuer_decision", LeafIndex(7))
        changed = format_evidence(replace(good, status=factory.status(5, change)))
        yield _judge(factory, changed)
        yield _judge(factory, changed, chain_view=chain)
    chain.state = "suspended"
    for evidence in (good, quiet, replace(good, status=unsigned)):
        yield _judge(factory, format_evidence(evidence), chain_view=chain)
    factory.add_record(purchase_values(9), public={})
    yield _judge(factory, b"{}")


def mutant_verdicts(rng: random.Random, number: int) -> Iterator[Verdict]:
    """The verdicts on so many pieces of evidence, good and bad."""
    maker = MutantMaker(rng)
    for mutant in (maker.draw() for _ in range(number)):
        yield mutant.judge()


class _TalkingChain(SampleChain):
    """The sample chain in the words of the observer of a real one. `state` is what its contract holds."""

    state = ""

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
        found = super().observe_anchor(anchor, trusted=trusted)
        return replace(found, detail=f"{found.detail} of chain {trusted.chain_id} holds it, 12 blocks deep")

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:
        found = super().observe_status(pointer, trusted=trusted)
        where = "read at block 120 of chain 31337"
        if not self.state:
            return replace(found, detail=f"{where}: nothing was said about the record")
        return replace(found, state=self.state, detail=f"{where}, reason 3")


def _judge(factory: EvidenceFactory, evidence: bytes, **question: object) -> Verdict:
    asked = {"policy": factory.policy, "trust": factory.trust, "now": factory.now} | question
    return verify(evidence, **asked)  # type: ignore[arg-type]


def _sample(text: ast.expr) -> str:
    """A text as it may come out, with a number or another sample in the place of each value."""
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    if not isinstance(text, ast.JoinedStr):
        return ""
    parts = []
    for part in text.values:
        if isinstance(part, ast.FormattedValue):
            source = ast.unparse(part.value)
            parts.append(_INSIDE.get(source) or _VALUES.get(source, "7"))
        else:
            parts.append(_sample(part))
    return "".join(parts)
