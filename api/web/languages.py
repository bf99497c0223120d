"""Which language a page speaks: `?lang=` if it says one, else what the browser prefers.

A chosen language stays in the links of the page, not in a cookie: an address always shows the same words, and a
cache needs nothing but `Vary: Accept-Language`.
"""

from __future__ import annotations

import gettext as gettext_module
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flask import g, request

from ledger_service.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCALES: Final = Path(__file__).parent / "locale"
PARAMETER: Final = "lang"
DOMAIN: Final = "pages"


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the pages: its word in addresses, its tag in HTML, and what it calls itself."""

    code: str
    tag: str
    name: str


ENGLISH: Final = Language("en", "en", "English")
CHINESE: Final = Language("zh", "zh-Hans", "简体中文")
LANGUAGES: Final[Mapping[str, Language]] = {each.code: each for each in (ENGLISH, CHINESE)}


def chosen() -> Language | None:
    """The language that the address names, or None; raises BadRequestError for one that there is not."""
    asked = request.args.get(PARAMETER)
    if asked is not None and asked not in LANGUAGES:
        raise BadRequestError(f"{PARAMETER} must be one of {', '.join(LANGUAGES)}.")
    return None if asked is None else LANGUAGES[asked]


def language() -> Language:
    """The language of the present request; English where nothing else fits."""
    if "language" not in g:
        asked = request.args.get(PARAMETER)
        if asked is None or asked not in LANGUAGES:
            # Chinese as browsers name it: with a script, a region, or neither.
            best = request.accept_languages.best_match(("en", "zh", "zh-CN", "zh-Hans", "zh-Hans-CN"))
            asked = "zh" if best is not None and best.startswith("zh") else "en"
        g.language = LANGUAGES[asked]
    spoken: Language = g.language
    return spoken


@cache
def catalogue(code: str) -> gettext_module.NullTranslations:
    """The words of a language; those of the code for English."""
    if code == ENGLISH.code:
        return gettext_module.NullTranslations()
    return gettext_module.translation(DOMAIN, LOCALES, [LANGUAGES[code].tag.replace("-", "_")])


def gettext(message: str) -> str:
    """The message in the language of the present request."""
    return catalogue(language().code).gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The message that fits the number, in the language of the present request."""
    return catalogue(language().code).ngettext(singular, plural, number)


def noted(message: str) -> str:
    """Mark a message for translation where it is only kept; whoever shows it calls `gettext`."""
    return message
