"""Verifies one large file on the page /verify, and measures what that takes and what leaves the browser."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ledger_service.proofs.canonical import encode_base64url
from tests.support.browser import CHROMIUM, open_page
from tests.support.verify_desk import answer, choose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Request

    from tests.support.verify_desk import VerifyDesk

# Keeps what the progress bar has said.
_WATCH = """() => {
  globalThis.seen = [];
  const bar = document.querySelector("#verify-progress progress");
  new MutationObserver(() => seen.push(bar.value)).observe(bar, { attributes: true });
}"""
_SAMPLE_S = 0.05
_LIMIT_MS = 1_800_000


@dataclass(frozen=True)
class LargeFile:
    """What became of one file. Memory is what all of the browser's processes hold that is nobody else's."""

    size: int
    answer: str
    took_s: float
    memory_before: int
    memory_peak: int
    progress: tuple[float, ...]
    policy: str
    requests: tuple[str, ...]
    sent: bytes
    leaks: tuple[str, ...]


def verify_large_file(browser: Browser, desk: VerifyDesk, size: int) -> LargeFile:
    """Record a sparse file's digest, verify the file on the page, and look for it in all that was sent."""
    path = desk.sparse(f"large-{size}.bin", size)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    record = desk.record_file(f"large-{size}", digest)
    evidence = desk.write(f"evidence-{size}.json", desk.evidence_of(record))
    requests: list[Request] = []
    with open_page(browser) as page:
        page.set_default_timeout(_LIMIT_MS)
        page.on("request", lambda request: requests.append(request))  # noqa: PLW0108  Playwright marks listeners
        loaded = page.goto(desk.url)
        assert loaded is not None
        page.locator("#verify-app").wait_for(state="visible")
        page.evaluate(_WATCH)
        began = time.monotonic()
        with _Memory.watch() as memory:
            choose(page, evidence, path)
            said = answer(page)
        took = time.monotonic() - began
        progress = tuple(page.evaluate("() => seen"))
        page.locator("#server-word").wait_for()
    path.unlink()
    urls = tuple(request.url for request in requests)
    sent = b"".join(request.post_data_buffer or b"" for request in requests)
    words = (path.name, digest.hex(), encode_base64url(digest))
    heard = "\n".join([*urls, sent.decode("latin-1"), desk.ledger.log()])
    leaks = tuple(word for word in words if word in heard)
    policy = loaded.headers["content-security-policy"]
    return LargeFile(size, said, took, memory.before, memory.peak, progress, policy, urls, sent, leaks)


class _Memory:
    """Samples the private memory of every Chromium process of this machine's tests."""

    def __init__(self) -> None:
        self.before = self.peak = _private_memory()
        self._done = threading.Event()

    @classmethod
    @contextmanager
    def watch(cls) -> Iterator[Self]:
        """Sample while the block runs."""
        memory = cls()
        thread = threading.Thread(target=memory._sample)
        thread.start()
        try:
            yield memory
        finally:
            memory._done.set()
            thread.join()

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self.peak = max(self.peak, _private_memory())


def _private_memory() -> int:
    """Bytes that Chromium processes below this one hold alone; pages of the file system's cache are not among them."""
    return sum(_private_of(process) for process in _descendants() if _is_browser(process))


def _descendants() -> list[Path]:
    parents: dict[str, list[Path]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has ended
            continue
        parents.setdefault(parent, []).append(process)
    found: list[Path] = []
    waiting = [Path("/proc/self").resolve()]
    while waiting:
        children = parents.get(waiting.pop().name, [])
        found += children
        waiting += children
    return found


def _is_browser(process: Path) -> bool:
    try:
        return CHROMIUM.name in (process / "cmdline").read_bytes().decode("latin-1")
    except OSError:
        return False


def _private_of(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024
