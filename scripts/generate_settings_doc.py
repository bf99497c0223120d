"""Write docs/settings.md from the fields of Settings. With --check, only say whether it is up to date."""

from __future__ import annotations

import sys
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from ledger_service.config import Settings, variable_of

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """\
# Settings

Generated from `ledger_service/config.py` by `scripts/generate_settings_doc.py`; do not edit.

Settings are environment variables, read once at start. A name that does not exist, a value that does not
parse and a combination that is unsafe are refused; the error names the variable and never repeats its value.

| variable | default | meaning |
|---|---|---|
"""


def format_page() -> str:
    """Return the page as it must be."""
    return HEAD + "".join(_row(each) for each in fields(Settings))


def _row(each: Field[Any]) -> str:
    shown = each.metadata["shown"]
    if not shown:
        shown = "**required**" if each.default is MISSING else f"`{_plain(each.default)}`"
    return f"| `{variable_of(each)}` | {shown} | {each.metadata['sentence']} |\n"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(arguments: list[str]) -> int:
    """Write or check the page; returns the exit status."""
    wanted = format_page()
    if arguments == ["--check"]:
        if PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print("docs/settings.md is stale: run scripts/generate_settings_doc.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
