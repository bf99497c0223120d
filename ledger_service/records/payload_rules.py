"""Rules that fields of payloads have in common: each says what a value must be, in words, and checks it.

A kind lists its fields with their rules, and `check_fields` reports every mistake at once. What it reports
names fields and never repeats a value.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ledger_service.records.kinds import FieldProblem

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A writer's clock may be a little ahead of ours.
MOST_AHEAD: Final = timedelta(minutes=5)

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_RECORD_ID: Final = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]", re.ASCII)
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What one field must be: `problem` in words, and `holds(value, now)`."""

    problem: str
    holds: Callable[[object, datetime], bool]


def check_fields(
    payload: Mapping[str, object],
    *,
    rules: Mapping[str, FieldRule],
    required: frozenset[str],
    now: datetime,
) -> list[FieldProblem]:
    """The mistakes in a payload: names that are missing or not known, and values that break their rule."""
    problems: list[FieldProblem] = []
    if not required <= payload.keys() <= rules.keys():
        check_names(payload, required=required, known=rules.keys(), at="", problems=problems)
    problems.extend(
        {"field": name, "problem": rule.problem}
        for name, rule in rules.items()
        if name in payload and not rule.holds(payload[name], now)
    )
    return problems


def check_names(
    value: Mapping[str, object],
    *,
    required: Collection[str],
    known: Collection[str],
    at: str,
    problems: list[FieldProblem],
) -> None:
    """Report the names that are missing and those that are not known."""
    problems.extend(
        {"field": at + name, "problem": "is missing"} for name in sorted(required) if name not in value
    )
    # Names come from outside: only what could be a field name is repeated.
    problems.extend(
        {"field": at + (name if _NAME.fullmatch(name) else "?"), "problem": "is not known"}
        for name in sorted(value.keys() - set(known))
    )


def is_word(value: object, longest: int) -> bool:
    """Whether the value is a text of 1 to `longest` characters that shows as it is."""
    # isprintable() is false for control characters, line ends, bidirectional marks and lone surrogates.
    return type(value) is str and 0 < len(value) <= longest and value.isprintable() and value.strip() == value


def is_integer(value: object, least: int, most: int) -> bool:
    """Whether the value is a whole number within these bounds."""
    # bool is an int to isinstance, not to type().
    return type(value) is int and least <= value <= most


def parse_moment(value: object) -> datetime | None:
    """The time that an RFC 3339 text in UTC and whole seconds names, or None if it is none."""
    if type(value) is str and _TIME.fullmatch(value):
        # The shape is right; the calendar may still not have such a day.
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return None


def parse_day(value: object) -> date | None:
    """The day that a text such as 2026-11-22 names, or None if it is none."""
    if type(value) is str and _DATE.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    return None


def word(longest: int) -> FieldRule:
    """A short text without control characters."""
    return FieldRule(
        f"must be 1 to {longest} printable characters without space at either end",
        lambda value, _: is_word(value, longest),
    )


def integer(least: int, most: int) -> FieldRule:
    """A whole number."""
    return FieldRule(
        f"must be a whole number from {least} to {most}", lambda value, _: is_integer(value, least, most)
    )


def code(example: str) -> FieldRule:
    """A word of a vocabulary that the writer chooses."""
    return matching(_CODE, f"must be 1 to 32 of a-z, 0-9, _ and -, such as {example}")


def matching(pattern: re.Pattern[str], problem: str) -> FieldRule:
    """A text of this pattern."""
    return FieldRule(problem, lambda value, _: type(value) is str and pattern.fullmatch(value) is not None)


def one_of(values: Collection[str], problem: str) -> FieldRule:
    """One of these texts."""
    return FieldRule(problem, lambda value, _: type(value) is str and value in values)


PAST_MOMENT: Final = FieldRule(
    "must be a time in UTC such as 2026-11-22T01:02:03Z that lies between 1970 and now",
    lambda value, now: (moment := parse_moment(value)) is not None and EARLIEST <= moment <= now + MOST_AHEAD,
)
MOMENT: Final = FieldRule(
    "must be a time in UTC such as 2026-11-22T01:02:03Z", lambda value, _: parse_moment(value) is not None
)
PAST_DAY: Final = FieldRule(
    "must be a day such as 2026-11-22 that is not to come",
    # It may be tomorrow already where the writer is.
    lambda value, now: (day := parse_day(value)) is not None and day <= (now + timedelta(days=1)).date(),
)
YES: Final = FieldRule("must be true or false", lambda value, _: type(value) is bool)
RECORD_ID: Final = matching(_RECORD_ID, "must be the id of a record")


def _is_digest(value: object, _: datetime) -> bool:
    if type(value) is str:
        with suppress(MalformedError):
            return len(decode_base64url(value)) == _DIGEST_BYTES
    return False


DIGEST: Final = FieldRule("must be a digest of 32 bytes in base64url without padding", _is_digest)
