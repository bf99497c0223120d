"""Sentences that come from below the pages, of the kernel, of errors and of rules for fields, in the reader's words.

The parts that make them speak English alone; here each is known by its words, with places for what it names.
"""

from __future__ import annotations

import re
from typing import Final

from api.web.languages import gettext
from api.web.languages import noted as _

FIXED: Final = (
    _("When the entry was accepted: `accepted` is the operator's claim."),
    _("Who presents this: the evidence is a bearer document, and anyone who has it can show it."),
    _("How many entries the log has, and that their bytes are available: neither log nor chain proves it."),
    _("Nothing bounds from below when the entry was made: the anchor is not later than an earlier head."),
    _("The checkpoint's EIP-712 line could not be checked. The kernel has no Keccak."),
    _("Who signed the claim: the trust file names no author keys."),
    _("The file is not the one that the record is about."),
    _("The disclosed fields do not belong to this entry."),
    _("The inclusion proof does not lead to the checkpoint's root."),
    _("A signature does not verify."),
    _("The checkpoint is of another log than the entry."),
    _("The schema is not the one that the entry names."),
    _("The status is another record's."),
    _("The evidence has no status statement, and silence is not a status."),
    _("The input is not canonical JSON."),
    _("The JSON is not in canonical form, or a key is doubled."),
    _("This browser cannot check Ed25519 signatures here."),
    _("The evidence does not parse."),
    _("The status statement is signed by an unknown key."),
    _("The trust file names no status key of this log."),
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
    (
        r"The status is the operator's word as of (?P<time>\S+)\.",
        _("The status is the operator's word as of %(time)s."),
    ),
    (
        r"Step (?P<number>\d) \(.*?\), which the trust file does not require: .*",
        _("Check %(number)s, which was not required, could not be made."),
    ),
    (
        r"The field (?P<name>[a-z0-9_]+) is not shown\.",
        _("The field %(name)s is not shown. Ask whoever holds the record for evidence that shows it."),
    ),
    (
        r"The time: self-anchored: .*",
        _(
            "The time: the operator runs this chain, so it gives order and tamper evidence to those who kept a"
            " checkpoint, not independent time."
        ),
    ),
    (
        r"The policy names no key of the log (?P<log>\S+)\.",
        _("This server keeps no log %(log)s, so it knows none of its keys."),
    ),
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
_COMPILED: Final = tuple((re.compile(pattern, re.DOTALL), message) for pattern, message in PATTERNS)

# How a verdict begins that one check decided: its number, and what it found.
_CAUSE: Final = re.compile(r"Step (\d) \(.*?\) (?:failed|could not be checked): (.*)", re.DOTALL)


def translate_sentence(sentence: str) -> str:
    """A sentence in the reader's language; itself when it is not known."""
    for pattern, message in _COMPILED:
        found = pattern.fullmatch(sentence)
        if found is not None:
            return gettext(message) % found.groupdict()
    return gettext(sentence) if sentence else sentence


def cause_of(reason: str) -> tuple[str, str] | None:
    """The number of the check that decided a verdict, and what it found; None where none did."""
    found = _CAUSE.fullmatch(reason)
    return None if found is None else (found[1], found[2])
