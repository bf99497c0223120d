"""A running service asked from its own OpenAPI document: the gate's part of the campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.fuzzed_service import fuzz_service

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REQUESTS = 2_000


def test_every_answer_is_one_that_the_document_promises(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Right and wrong requests to every operation: declared, of the declared shape, never 500, never slow."""
    tally = fuzz_service(tmp_path, requests=REQUESTS, seed=request.config.option.seed)
    assert tally.requests >= REQUESTS
    assert dict(tally.undeclared) == {}
    assert dict(tally.findings) == {}
    assert tally.slow == 0, f"the slowest answer took {tally.slowest_s:.2f} s"
