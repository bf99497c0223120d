"""The browser's SHA-256 and ML-DSA-44 are the noble packages that the lock file pins, unchanged and licensed."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from scripts.bundle_noble import FOLDER, wanted

if TYPE_CHECKING:
    import random

    from tests.support.browser_kernel import BrowserKernel


def test_bundle_is_fresh() -> None:
    """Bundling the pinned packages again makes what is stored, licences included."""
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == wanted()
    assert "Permission is hereby granted" in (FOLDER / "LICENSE.txt").read_text("utf-8")


def test_integrity_is_stated() -> None:
    """The stated hash is the file's."""
    stated = json.loads((FOLDER / "noble.json").read_text("utf-8"))["integrity"]
    digest = hashlib.sha384((FOLDER / "noble.js").read_bytes()).digest()
    assert stated == f"sha384-{base64.b64encode(digest).decode()}"


HASHES = """async (texts) => {
  const { hex, sha256, unhex } = await import("/static/kernel/bytes.js");
  return texts.map((text) => hex(sha256(unhex(text))));
}"""


def test_hashes(kernel: BrowserKernel, rng: random.Random) -> None:
    """Its SHA-256 is Python's, for every length around the ends of blocks."""
    data = [rng.randbytes(size) for size in (*range(130), 1000, 65_537)]
    hashes = kernel.page.evaluate(HASHES, [each.hex() for each in data])
    assert hashes == [hashlib.sha256(each).hexdigest() for each in data]
