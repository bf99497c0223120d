"""Where the shared vectors lie, and how the tests read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def read_vectors(name: str) -> Any:
    """Return one file of tests/vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def malformed_texts(name: str) -> list[tuple[str, str]]:
    """Return (why, text) of every malformed form of a text in malformed.json."""
    vectors = read_vectors("malformed")
    section = vectors[name]
    valid = section["valid"]
    cases = [(case["why"], valid.replace(case["replace"], case["by"])) for case in section["invalid"]]
    if number := section.get("number"):
        cases += [(f"number {text!r}", _replace_number(valid, number, text)) for text in vectors["numbers"]]
    assert all(text != valid for _, text in cases)
    return cases


def _replace_number(valid: str, number: str, text: str) -> str:
    return valid.replace(f"{number}\n", f"{text}\n", 1)
