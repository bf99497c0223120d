"""What the browser's verifier takes from npm is the packages that the lock file pins, unchanged and licensed."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from scripts.bundle_browser import BUNDLES, STATIC, wanted

if TYPE_CHECKING:
    import random

    from tests.support.browser_kernel import BrowserKernel

HASHES = """async (texts) => {
  const { hex, sha256, unhex } = await import("/static/kernel/bytes.js");
  return texts.map((text) => hex(sha256(unhex(text))));
}"""


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_are_fresh(name: str) -> None:
    """Bundling the pinned packages again makes what is stored, with their licences and its true hash."""
    stored = {path.name: path.read_bytes() for path in (STATIC / name).iterdir()}
    assert stored == wanted(name)
    assert b"Permission is hereby granted" in stored["LICENSE.txt"]
    digest = base64.b64encode(hashlib.sha384(stored[f"{name}.js"]).digest()).decode()
    assert json.loads(stored[f"{name}.json"])["integrity"] == f"sha384-{digest}"


def test_hashes(kernel: BrowserKernel, rng: random.Random) -> None:
    """The kernel's SHA-256 is Python's, for every length around the ends of blocks."""
    data = [rng.randbytes(size) for size in (*range(130), 1000, 65_537)]
    hashes = kernel.page.evaluate(HASHES, [each.hex() for each in data])
    assert hashes == [hashlib.sha256(each).hexdigest() for each in data]
