"""The browser's kernel and Python's give the same verdict on the same evidence."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.support.browser_agreement import compare_kernels, describe_difference
from tests.support.browser_kernel import open_kernel
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    import random

    from playwright.sync_api import Browser

    from tests.support.browser_kernel import BrowserKernel


def test_random_evidence(kernel: BrowserKernel, rng: random.Random) -> None:
    """Good and bad evidence gets the same verdict from both, byte for byte, with all its steps and words."""
    agreement = compare_kernels(kernel, rng, 300)
    assert not agreement.differences, describe_difference(agreement.differences[0])
    results = {result for _, result in agreement.answers}
    assert {"valid", "invalid", "unknown"} <= results
    assert len(agreement.failed_steps) >= 6


def test_no_ed25519(browser: Browser) -> None:
    """Where the browser has no Ed25519, nothing is called good: steps 5 and 7 could not be checked."""
    vectors = read_vectors("evidence")
    question = {name: vectors[name] for name in ("policy", "trust", "now")}
    question["evidence"] = base64.b64encode(vectors["evidence"].encode()).decode()
    with open_kernel(browser) as kernel:
        kernel.page.evaluate("() => Object.defineProperty(crypto, 'subtle', { value: undefined })")
        verdict = json.loads(kernel.ask("verdict", question))
    assert verdict["result"] == "unknown"
    unchecked = {step["number"] for step in verdict["steps"] if step["outcome"] == "could not check"}
    assert unchecked == {5, 6, 7}
