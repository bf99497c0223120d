"""What is wrong with a payload, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe_problem(problem: Mapping[str, object]) -> str:
    """One problem of a payload in words: which field, and what is the matter; of the whole row without a field."""
    return f"{problem.get('field') or 'the row'}: {problem.get('problem')}"
