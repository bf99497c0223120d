"""The kind `completion/v1`: one learner completed one course, or one run of it.

All fields are private. The learner is the issuer's own reference for a person, never a name or an address,
and is the data subject; the certificate number is the reference under which the issuer finds the record
again. What an Open Badge or a verifiable credential says stands in fields of its own: `achievement_type`
(achievementType), `course` and `course_title` (achievement), `presentation` (term), `result`, `score` and
`score_max` (result), `completed_on` (activityEndDate), `issued_at` (validFrom) and `valid_until`.

Few fields are required: results of years ago may know no date. `valid_until` is read by step 8 of the
verdict, which cannot tell whether a certificate has expired from evidence that hides this field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import FieldProblem, Kind, ParsedRecord, refuse
from ledger_service.records.payload_rules import (
    MOMENT,
    PAST_DAY,
    PAST_MOMENT,
    FieldRule,
    check_fields,
    code,
    integer,
    is_word,
    parse_moment,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LONGEST_LEARNER: Final = 128
LONGEST_WORD: Final = 64
LONGEST_TITLE: Final = 256
MOST_POINTS: Final = 1_000_000
MOST_HOURS: Final = 100_000

_RULES: Final[Mapping[str, FieldRule]] = {
    "achievement_type": code("certificate"),
    "certificate_number": word(LONGEST_WORD),
    "completed_on": PAST_DAY,
    "course": word(LONGEST_WORD),
    "course_title": word(LONGEST_TITLE),
    "issued_at": PAST_MOMENT,
    "learner": word(LONGEST_LEARNER),
    "presentation": word(LONGEST_WORD),
    "result": code("pass"),
    "score": integer(0, MOST_POINTS),
    "score_max": integer(1, MOST_POINTS),
    "valid_until": MOMENT,
    "workload_hours": integer(1, MOST_HOURS),
}
_REQUIRED: Final = frozenset({"certificate_number", "course", "learner"})

SCHEMA: Final = Schema(kind="completion/v1", private=tuple(sorted(_RULES)), public=())

EXAMPLE_COMPLETION: Final[dict[str, Any]] = {
    "certificate_number": "AAA-2014J-11391",
    "learner": "learner-11391",
    "course": "AAA",
    "course_title": "Foundations of Data Analysis",
    "presentation": "2014J",
    "achievement_type": "certificate",
    "result": "distinction",
    "score": 86,
    "score_max": 100,
    "completed_on": "2026-06-30",
    "issued_at": "2026-07-14T09:00:00Z",
    "valid_until": "2031-07-14T09:00:00Z",
    "workload_hours": 300,
}
"""A payload that is valid, for documents and tests."""


def parse_completion(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """The fields of one completion; raises InvalidPayloadError that lists the problems and no values."""
    problems = check_fields(payload, rules=_RULES, required=_REQUIRED, now=now)
    if not problems:
        _check_score(payload, problems)
        _check_period(payload, problems)
    if problems:
        raise refuse(problems)
    return ParsedRecord(
        private=dict(cast("Mapping[str, Any]", payload)),
        public={},
        subject=cast("str", payload["learner"]),
        reference=cast("str", payload["certificate_number"]),
    )


def subject_of_completion(payload: Mapping[str, object]) -> str | None:
    """The learner, if it is one that `parse_completion` would take."""
    learner = payload.get("learner")
    return cast("str", learner) if is_word(learner, LONGEST_LEARNER) else None


def _check_score(payload: Mapping[str, object], problems: list[FieldProblem]) -> None:
    if ("score" in payload) != ("score_max" in payload):
        problems.append({"field": "score", "problem": "needs score_max beside it, and score_max needs score"})
    elif "score" in payload and cast("int", payload["score"]) > cast("int", payload["score_max"]):
        problems.append({"field": "score", "problem": "must not be over score_max"})


def _check_period(payload: Mapping[str, object], problems: list[FieldProblem]) -> None:
    issued, end = parse_moment(payload.get("issued_at")), parse_moment(payload.get("valid_until"))
    if issued is not None and end is not None and end <= issued:
        problems.append({"field": "valid_until", "problem": "must lie after issued_at"})


COMPLETION: Final = Kind(
    name="completion/v1",
    collection="completions",
    word="completions",
    schema=SCHEMA,
    parse=parse_completion,
    subject_of=subject_of_completion,
    example=EXAMPLE_COMPLETION,
    changes=frozenset(
        {
            ("active", "suspended"),
            ("suspended", "active"),
            ("active", "revoked"),
            ("suspended", "revoked"),
            # Not from suspended: a correction must not lift a suspension.
            ("active", "superseded"),
        }
    ),
)
