"""Bring the pages' words into the catalogues of their languages: gather, keep what is translated, compile.

`--check` writes nothing and fails when a word is missing, left over or untranslated, or a .mo is not its .po's.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from api.errors import STATUS_OF, all_errors
from api.web.languages import DOMAIN, ENGLISH, LANGUAGES, LOCALES

if TYPE_CHECKING:
    from pathlib import Path

    from api.web.languages import Language

_API: Final = LOCALES.parents[1]
_METHODS: Final = [("web/**.py", "python"), ("routes/pages*.py", "python"), ("web/templates/*", "jinja2")]
# What is wrong with the server itself is not told to readers, so it needs no words for them.
_OURS: Final = 500
# Lines of the header that tell when and by whom, which changes nothing.
_LEFT_OUT: Final = (b'"POT-', b'"PO-', b'"Report-', b'"Last-', b'"Language-Team')


def gather() -> Catalog:
    """Every word that a page can show: of templates and code, and of the errors that readers meet."""
    found = Catalog(domain=DOMAIN)
    options = {"web/templates/*": {"silent": "false"}}
    for name, _, message, comments, _ in extract_from_dir(_API, _METHODS, options):
        found.add(message, locations=[(f"api/{name}", 0)], auto_comments=comments)
    for error in all_errors():
        if STATUS_OF[error.code] != _OURS:
            found.add(error.message, locations=[("ledger_service/errors", 0)])
    return found


def paths_of(language: Language) -> tuple[Path, Path]:
    """The catalogue of a language as text and compiled."""
    folder = LOCALES / language.tag.replace("-", "_") / "LC_MESSAGES"
    return folder / f"{DOMAIN}.po", folder / f"{DOMAIN}.mo"


def update(language: Language) -> Catalog:
    """The catalogue of a language with exactly the gathered words, and the translations that it had."""
    text, _ = paths_of(language)
    kept = Catalog(locale=language.tag.replace("-", "_"), domain=DOMAIN)
    if text.exists():
        with text.open("rb") as stream:
            kept = read_po(stream, locale=language.tag.replace("-", "_"), domain=DOMAIN)
    kept.update(gather(), no_fuzzy_matching=True)
    kept.obsolete.clear()
    kept.fuzzy = False
    kept.project, kept.version = "audit-ledger", "pages"
    # The same words give the same bytes, whenever they are written.
    kept.creation_date = kept.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    kept.header_comment = "# The words of the pages. Written by scripts/translate.py; translate in this file."
    return kept


def written(catalogue: Catalog) -> tuple[bytes, bytes]:
    """The catalogue as .po and as .mo, always the same bytes for the same words."""
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, catalogue, sort_output=True, width=110, no_location=True, omit_header=False)
    write_mo(compiled, catalogue)
    lines = [line for line in text.getvalue().splitlines() if not line.startswith(_LEFT_OUT)]
    return b"\n".join(lines) + b"\n", compiled.getvalue()


def main(words: list[str]) -> int:
    """Write or check the catalogues; returns the exit code."""
    stale = []
    for language in LANGUAGES.values():
        if language == ENGLISH:
            continue
        catalogue = update(language)
        stale += [f"{language.tag}: {m.id}" for m in catalogue if m.id and not (m.string and all(m.string))]
        for path, content in zip(paths_of(language), written(catalogue), strict=True):
            if "--check" not in words:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            elif not path.exists() or path.read_bytes() != content:
                stale.append(f"{path.name} is not what would be written")
    print("\n".join(stale) or "Every word is translated.")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
