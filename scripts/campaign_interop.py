"""Lets the Go checksum database's verifier read our logs and tampered copies of them, and writes a report.

    python -m scripts.campaign_interop

Needs Go and Debian's golang-golang-x-mod-dev; tests/interop needs neither. Exit code 1: an unexpected answer.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_service.proofs.note import format_vkey
from scripts.campaign_report import Report, write_report
from tests.interop.sample_log import SampleLog, flip

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path("docs/campaigns/interop.md")
DRIVER = Path("tests/interop/sumdb/main.go")
PACKAGE = Path("/usr/share/gocode/src/golang.org/x/mod")
SIZES = (2, 255, 256, 257, 700, 65_800)  # a single entry has no path, so that its hash tile is never read


def main() -> int:
    """Build the driver, run it, and write the page."""
    began = time.monotonic()
    table = [("entries", "whole", "files tampered with", "of them refused")]
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        judge = _build(Path(folder))
        for size in SIZES:
            said, tampered, refused = _try(judge, SampleLog.make(size, seed=1), Path(folder) / str(size))
            table.append((str(size), said, str(tampered), str(refused)))
            if said != f"accepted {size}" or refused != tampered:
                broken.append(f"Size {size}: {said}; {tampered - refused} tampered accepted.")
    report = Report(
        title="The Go checksum database's verifier",
        command="python -m scripts.campaign_interop",
        took_s=time.monotonic() - began,
        figures={"verifier": "golang.org/x/mod/sumdb of Debian's golang-golang-x-mod-dev"},
        table=table,
        notes=broken
        or [
            "`note` opened each checkpoint; `tlog` proved every entry, and the growth from half the size, by our tiles."
        ],
    )
    write_report(PAGE, report)
    return int(bool(broken))


def _build(folder: Path) -> Callable[..., str]:
    """Compile the driver against Debian's package; returns what runs it."""
    (folder / "main.go").write_text(DRIVER.read_text())
    (folder / "go.mod").write_text(
        f"module interop\n\ngo 1.21\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => {PACKAGE}\n"
    )
    subprocess.run(["go", "build", "-o", "judge", "."], cwd=folder, check=True)

    def judge(*arguments: object) -> str:
        run = subprocess.run(
            [folder / "judge", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        return run.stdout.strip() or run.stderr[-200:]

    return judge


def _try(judge: Callable[..., str], log: SampleLog, directory: Path) -> tuple[str, int, int]:
    """What it says of the whole log, and how many copies with one bit flipped in one file it was given and refused."""
    directory.mkdir()
    log.write(directory)
    first = log.size // 2 or 1
    arguments = (
        directory,
        format_vkey(log.keys.ed25519_vkey),
        first,
        base64.b64encode(log.root(first)).decode(),
    )
    said = judge(*arguments)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    files = files[:: len(files) // 12 + 1]
    refused = 0
    for path in files:
        content = path.read_bytes()
        path.write_bytes(flip(content, len(content) // 3 if path.name != "checkpoint" else 3))
        refused += judge(*arguments).startswith("refused")
        path.write_bytes(content)
    return said, len(files), refused


if __name__ == "__main__":
    sys.exit(main())
