"""Measure what the contracts cost and write docs/gas.md; ``--check`` only compares.

All is drawn from one seed and runs on py-evm in memory: `python -m scripts.gas_table` is the same everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.gas_rows import kind_rows, life_rows, publish_rows
from tests.contracts.evm import Evm, artifact
from tests.contracts.logs import OPENER

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "gas.md"
HEAD = """# Gas

Made by `scripts/gas_table.py` on py-evm (Prague) from the committed artifacts; a test compares.
One `publish` anchors all records since the head before it, whatever their number.

| what | gas |
|---|---:|
"""


def format_table() -> str:
    """The document."""
    evm = Evm()
    contract = evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])
    rows = [*publish_rows(contract), *life_rows(evm, contract), *kind_rows(evm)]
    return HEAD + "".join(f"| {name} | {gas} |\n" for name, gas in rows)


def main() -> None:
    """Write or compare the document."""
    table = format_table()
    if sys.argv[1:] != ["--check"]:
        DOCUMENT.write_text(table, "utf-8")
    elif DOCUMENT.read_text("utf-8") != table:
        sys.exit("docs/gas.md is out of date: run python -m scripts.gas_table")


if __name__ == "__main__":
    main()
