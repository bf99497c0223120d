"""The verdict: eight numbered steps, one answer, and what the answer does not prove (design section 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from ledger_service.proofs.canonical import JsonValue, encode, format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERDICT_VERSION: Final = "audit-ledger/verdict/v1"

STEPS: Final = {
    1: "evidence parses",
    2: "disclosed fields open the commitment",
    3: "entry hashes to the leaf",
    4: "inclusion in the checkpoint",
    5: "checkpoint signed as the policy demands, by that origin",
    6: "checkpoint anchored",
    7: "status at the asked date",
    8: "what the kind adds",
}

Outcome: TypeAlias = Literal["pass", "fail", "could not check"]
PASS: Final = "pass"  # noqa: S105 - an outcome, no password
FAIL: Final = "fail"
COULD_NOT_CHECK: Final = "could not check"

Result: TypeAlias = Literal[
    "valid", "revoked", "suspended", "refunded", "superseded", "withdrawn", "expired", "invalid", "unknown"
]
RESULTS: Final[tuple[str, ...]] = get_args(Result)
Scope: TypeAlias = Literal["entry only", "some fields", "all fields"]


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one numbered step, with its evidence in words."""

    number: int
    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which two moments the entry was made, and how well the chain behind that is known.

    `after` is None when nothing bounds it from below. The times of a `self_anchored` chain are the
    operator's; None says that the trust file does not know the chain.
    """

    after: datetime | None
    before: datetime
    grade: str
    self_anchored: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one piece of evidence.

    `record` summarizes the entry; it is None when nothing parsed, or when the index is one that no log can have.
    """

    result: Result
    reason: str
    scope: Scope
    steps: tuple[Step, ...]
    not_proven: tuple[str, ...]
    record: Mapping[str, JsonValue] | None
    interval: Interval | None
    at: datetime
    known_at: datetime
    checked_at: datetime


def format_verdict(verdict: Verdict) -> bytes:
    """Return the verdict as canonical JSON."""
    interval = verdict.interval
    return encode(
        {
            "v": VERDICT_VERSION,
            "result": verdict.result,
            "people": people_words(verdict.result),
            "reason": verdict.reason,
            "scope": verdict.scope,
            "steps": [
                {"number": step.number, "name": step.name, "outcome": step.outcome, "detail": step.detail}
                for step in verdict.steps
            ],
            "not_proven": verdict.not_proven,
            "record": verdict.record,
            "interval": None
            if interval is None
            else {
                "after": None if interval.after is None else format_time(interval.after),
                "before": format_time(interval.before),
                "grade": interval.grade,
                "self_anchored": interval.self_anchored,
            },
            "at": format_time(verdict.at),
            "known_at": format_time(verdict.known_at),
            "checked_at": format_time(verdict.checked_at),
        }
    )


def describe_verdict(verdict: Verdict) -> str:
    """Return the verdict in plain text: answer, numbered steps, record, what is not proven."""
    lines = [f"{people_words(verdict.result)}: {verdict.result} ({verdict.scope}). {verdict.reason}"]
    lines += [f"{step.number} {step.outcome:<15} {step.name}: {step.detail}" for step in verdict.steps]
    if verdict.record is not None:
        lines.append(f"Record: {encode(verdict.record).decode()}")
    if verdict.interval is not None:
        after = "unknown" if verdict.interval.after is None else format_time(verdict.interval.after)
        before = format_time(verdict.interval.before)
        lines.append(f"Made between {after} and {before} ({verdict.interval.grade}).")
    lines += ["Not proven:", *(f"- {sentence}" for sentence in verdict.not_proven)]
    return "".join(f"{printable(line)}\n" for line in lines)


def printable(line: str) -> str:
    """Return a text of strangers with what steers a terminal, hides, or turns text around as its numbers."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)


def people_words(result: Result) -> Literal["Genuine", "Cannot tell", "Not genuine"]:
    """Return one of the three answers that people get."""
    if result == "valid":
        return "Genuine"
    return "Cannot tell" if result == "unknown" else "Not genuine"


def exit_code(result: Result) -> Literal[0, 1, 2]:
    """Return the process exit code of an answer: 0 genuine, 1 not genuine, 2 cannot tell."""
    if result == "valid":
        return 0
    return 2 if result == "unknown" else 1
