"""Asks the browser's kernel and Python's the same questions and compares their verdicts, byte for byte."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.proofs.canonical import decode, format_time
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.trust import format_trust
from ledger_service.proofs.verdict import format_verdict
from tests.support.evidence_mutants import MutantMaker

if TYPE_CHECKING:
    import random

    from tests.support.browser_kernel import BrowserKernel
    from tests.support.evidence_mutants import Mutant

_BATCH = 100


@dataclass
class Agreement:
    """How often each answer was given, per way of making evidence, and where the two differ."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed_steps: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[Mutant, str, str]] = field(default_factory=list)


def compare_kernels(kernel: BrowserKernel, rng: random.Random, number: int) -> Agreement:
    """Draw `number` pieces of evidence and ask both."""
    agreement = Agreement()
    maker = MutantMaker(rng)
    for start in range(0, number, _BATCH):
        mutants = [maker.draw() for _ in range(min(_BATCH, number - start))]
        answers = kernel.ask_all("verdict", [_question(mutant) for mutant in mutants])
        for mutant, answer in zip(mutants, answers, strict=True):
            _compare(agreement, mutant, str(answer.get("answer", answer)))
    return agreement


def _question(mutant: Mutant) -> dict[str, str | None]:
    return {
        "evidence": base64.b64encode(mutant.evidence).decode(),
        "policy": format_policy(mutant.policy).decode(),
        "trust": format_trust(mutant.trust).decode(),
        "now": format_time(mutant.now),
        "at": format_time(mutant.at),
        "known_at": format_time(mutant.known_at),
        "file_digest": None if mutant.file_digest is None else mutant.file_digest.hex(),
    }


def _compare(agreement: Agreement, mutant: Mutant, browser: str) -> None:
    verdict = mutant.judge()
    python = format_verdict(verdict).decode()
    agreement.answers[mutant.how.partition("/")[0], verdict.result] += 1
    for step in verdict.steps:
        if step.outcome == "fail":
            agreement.failed_steps[f"{step.number} {step.name}"] += 1
    if python != browser:
        agreement.differences.append((mutant, python, browser))


def describe_difference(difference: tuple[Mutant, str, str]) -> str:
    """What a person needs to repeat a difference."""
    mutant, python, browser = difference
    lines = [f"{mutant.how}: {mutant.evidence!r}", f"question: {_question(mutant)}"]
    try:
        ours, theirs = decode(python.encode()), decode(browser.encode())
    except Exception as error:  # noqa: BLE001 - an answer of any shape is shown
        return "\n".join([*lines, python, browser, str(error)])
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    lines += [
        f"{name}: {ours[name]!r} / {theirs.get(name)!r}" for name in ours if ours[name] != theirs.get(name)
    ]
    return "\n".join(lines)
