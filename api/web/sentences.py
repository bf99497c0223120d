"""Sentences that come from below the pages, of the kernel, of errors and of rules for fields, in the reader's words.

The parts that make them speak English alone; here each is known by its words, with places for what it names. The
browser translates with the same table by the same rules, `static/verify/words.js`.
"""

from __future__ import annotations

import re
from typing import Final

from api.web.format_sentences import FORMAT_FIXED, FORMAT_PATTERNS
from api.web.languages import gettext
from api.web.languages import noted as _
from api.web.verdict_sentences import VERDICT_FIXED, VERDICT_PATTERNS
from api.web.words import WORDS

FIXED: Final = (
    *VERDICT_FIXED,
    *FORMAT_FIXED,
    _("is missing"),
    _("is not known"),
    _("is missing or not known"),
    _("is missing beside row_root"),
    _("has not as many cells as the header has columns"),
    _("must be a current ISO 4217 code such as USD"),
    _("must be a day such as 2026-11-22 that is not to come"),
    _("must be a digest of 32 bytes in base64url without padding"),
    _("must be a media type in lower case such as text/csv"),
    _("must be a reason of the list in contracts/README.md"),
    _("must be a time in UTC such as 2026-11-22T01:02:03Z"),
    _("must be a time in UTC such as 2026-11-22T01:02:03Z that lies between 1970 and now"),
    _("must be an object with sku, quantity and amount_minor"),
    _("must be one JSON object"),
    _("must be the currency of the purchase"),
    _("must be the id of a record"),
    _("must be the sum of the items and adjustment_minor"),
    _("must be true or false"),
    _("must lie after issued_at"),
    _("must not be over score_max"),
    _("must not be over what is left of the purchase"),
    _("needs score_max beside it, and score_max needs score"),
    _("A column of the header is no field's name, such as buyer or items.0.sku."),
    _("The header names a column twice, or has too many."),
    _("A quote is opened and not closed."),
)
"""Sentences that are always the same; all but these and the patterns are shown as they are."""

PATTERNS: Final = (
    *VERDICT_PATTERNS,
    *FORMAT_PATTERNS,
    (
        r"must be 1 to (?P<most>\d+) printable characters without space at either end",
        _("must be 1 to %(most)s printable characters without space at either end"),
    ),
    (
        r"must be a whole number from (?P<least>-?\d+) to (?P<most>\d+)",
        _("must be a whole number from %(least)s to %(most)s"),
    ),
    (
        r"must be 1 to 32 of a-z, 0-9, _ and -, such as (?P<example>\S+)",
        _("must be 1 to 32 of a-z, 0-9, _ and -, such as %(example)s"),
    ),
    (r"must be a list of 1 to (?P<most>\d+) items", _("must be a list of 1 to %(most)s items")),
)
"""Sentences that hold values; `verdict_sentences.py` says what the names of the places mean."""

CODES: Final = {"status": "status", "state": "status", "reason": "reason", "grade": "grade"}
"""Places that hold a code, and the kind of words that people have for it."""

JOINT: Final = _("%(first)s %(rest)s")
"""How one sentence follows another."""

_KNOWN: Final = frozenset(FIXED)
_COMPILED: Final = tuple((re.compile(pattern, re.DOTALL), message) for pattern, message in PATTERNS)
# How many sentences may stand in or behind one another: what a stranger wrote must not keep us busy.
_MOST: Final = 6

# How a verdict begins that one check decided: its number, and what it found.
_CAUSE: Final = re.compile(r"Step (\d) \(.*?\) (?:failed|could not be checked): (.*)", re.DOTALL)


def translate_sentence(sentence: str) -> str | None:
    """A sentence, or several, in the reader's language; None when not all of it is known."""
    return _translate(sentence, left=_MOST)


def _translate(text: str, *, left: int) -> str | None:
    if left == 0:
        return None
    return _translate_one(text, left=left - 1) or _translate_several(text, left=left - 1)


def _translate_one(text: str, *, left: int) -> str | None:
    if text in _KNOWN:
        return gettext(text)
    for pattern, message in _COMPILED:
        found = pattern.fullmatch(text)
        values = None if found is None else _fill(found.groupdict(), left=left)
        if values is not None:
            return gettext(message) % values
    return None


def _translate_several(text: str, *, left: int) -> str | None:
    """A first sentence and those behind it, wherever the first one may end."""
    end = text.find(". ")
    while end >= 0:
        first = _translate_one(text[: end + 1], left=left)
        rest = None if first is None else _translate(text[end + 2 :], left=left)
        if rest is not None:
            return gettext(JOINT) % {"first": first, "rest": rest}
        end = text.find(". ", end + 1)
    return None


def _fill(places: dict[str, str], *, left: int) -> dict[str, str] | None:
    values = {}
    for name, text in places.items():
        value = _value(name, text, left=left)
        if value is None:
            return None
        values[name] = value
    return values


def _value(name: str, text: str, *, left: int) -> str | None:
    if name == "clause":
        return _translate(text, left=left)
    if name in CODES:
        return gettext(WORDS[CODES[name]].get(text, text))
    return gettext(text) if name == "thing" and text in _KNOWN else text


def cause_of(reason: str) -> tuple[str, str] | None:
    """The number of the check that decided a verdict, and what it found; None where none did."""
    found = _CAUSE.fullmatch(reason)
    return None if found is None else (found[1], found[2])
