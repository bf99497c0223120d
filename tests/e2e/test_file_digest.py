"""Files are hashed in a worker of the browser, whatever their size, with progress and an end when asked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.browser_kernel import BrowserKernel

PIECE = 4 << 20
CHOOSE = "() => { document.body.innerHTML = '<input type=file id=chosen>'; }"
DIGEST = """async (cancelAt) => {
  const { digestFile } = await import("/static/verify/digest.js");
  const [file] = document.getElementById("chosen").files;
  const controller = new AbortController();
  const progress = [];
  const onProgress = (done) => {
    progress.push(done);
    if (cancelAt !== null && done >= cancelAt) controller.abort();
  };
  try {
    const digest = await digestFile(file, { onProgress, signal: controller.signal });
    return { digest: [...digest], progress };
  } catch (error) {
    return { error: error.name, progress };
  }
}"""
# A worker that has no WebAssembly, and gets the message that came before the real script was there.
WITHOUT_WASM = """() => {
  const Real = Worker;
  globalThis.Worker = class extends Real {
    constructor(url, options) {
      const script = `
        const first = new Promise((got) => addEventListener("message", got, { once: true }));
        delete globalThis.WebAssembly;
        await import(${JSON.stringify(String(url))});
        globalThis.dispatchEvent(new MessageEvent("message", { data: (await first).data }));`;
      super(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), options);
    }
  };
}"""


def digest(kernel: BrowserKernel, path: Path, *, cancel_at: int | None = None) -> dict[str, Any]:
    """What becomes of hashing a file in the browser."""
    kernel.page.evaluate(CHOOSE)
    kernel.page.set_input_files("#chosen", path)
    answer: dict[str, Any] = kernel.page.evaluate(DIGEST, cancel_at)
    return answer


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 64 << 20])
def test_sizes(kernel: BrowserKernel, tmp_path: Path, size: int) -> None:
    """A file of any size has the digest that Python finds, and the progress ends at its size."""
    path = tmp_path / "data.bin"
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"!" * min(1, size))
    answer = digest(kernel, path)
    with path.open("rb") as file:
        assert bytes(answer["digest"]) == hashlib.file_digest(file, "sha256").digest()
    told = answer["progress"]
    assert told == sorted(told)
    assert told[-1:] == ([size] if size else [])
    assert min(1, size) <= len(told) <= size // PIECE + 1


def test_without_wasm(kernel: BrowserKernel, tmp_path: Path) -> None:
    """Where there is no WebAssembly the digest is the same."""
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(256)) * 20_000)
    kernel.page.evaluate(WITHOUT_WASM)
    try:
        answer = digest(kernel, path)
    finally:
        kernel.page.reload()
        kernel.page.wait_for_function("globalThis.ask !== undefined")
    assert bytes(answer["digest"]) == hashlib.sha256(path.read_bytes()).digest()


def test_cancel(kernel: BrowserKernel, tmp_path: Path) -> None:
    """A cancelled file ends at once, long before it is read to its end."""
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    answer = digest(kernel, path, cancel_at=1)
    assert answer["error"] == "AbortError"
    assert answer["progress"][-1] < 1 << 30


def test_changed_file(kernel: BrowserKernel, tmp_path: Path) -> None:
    """A file that changes after it was chosen is an error, never the digest of a mixture."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"before")
    kernel.page.evaluate(CHOOSE)
    kernel.page.set_input_files("#chosen", path)
    path.write_bytes(b"after, and longer")
    answer = kernel.page.evaluate(DIGEST, None)
    assert answer["error"] == "Error"
