"""Randomness that a campaign can repeat."""

from __future__ import annotations

from random import Random


def seeded(*parts: object) -> Random:
    """Random values that follow from the parts alone."""
    return Random("/".join(map(str, parts)))
