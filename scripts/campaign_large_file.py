"""Verifies a file of 2 GiB on the page /verify in a real browser, and writes a report of what that took.

    python -m scripts.campaign_large_file

Exit code 1: the answer was wrong, the memory grew with the file, or something of the file was sent.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from scripts.campaign_report import Report, write_report
from tests.support.browser import launch_browser
from tests.support.http_ledger import HttpLedger
from tests.support.large_file import verify_large_file
from tests.support.verify_desk import VerifyDesk

PAGE = Path("docs/campaigns/large-file.md")
MIB = 1 << 20
SIZES = (64 * MIB, 512 * MIB, 2048 * MIB)
# What one size may take more than another: noise of the browser's own, well below any of the files.
MOST_GROWTH = 48 * MIB


def main() -> int:
    """Verify files of three sizes and write the page."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        HttpLedger(Path(folder)) as ledger,
        launch_browser() as browser,
    ):
        version = browser.version
        desk = VerifyDesk(ledger, Path(folder))
        # The first file also starts what every later one finds running.
        verify_large_file(browser, desk, MIB)
        found = [verify_large_file(browser, desk, size) for size in SIZES]
    table = [
        (
            "MiB",
            "answer",
            "seconds",
            "MB a second",
            "steps of progress",
            "memory above rest, MiB",
            "bytes sent",
        )
    ]
    for each in found:
        grown = (each.memory_peak - each.memory_before) / MIB
        rate = each.size / each.took_s / 1e6
        figures = (
            f"{each.took_s:.1f}",
            f"{rate:.0f}",
            str(len(each.progress)),
            f"{grown:.0f}",
            str(len(each.sent)),
        )
        table.append((str(each.size // MIB), each.answer, *figures))
    growth = [each.memory_peak - each.memory_before for each in found]
    broken = [
        name
        for name, held in {
            "a file was not genuine": all(each.answer == "Genuine" for each in found),
            "memory grew with the file": max(growth) - growth[0] < MOST_GROWTH,
            "something of the file was sent": not any(each.leaks for each in found),
        }.items()
        if not held
    ]
    report = Report(
        title="A large file in the browser",
        command="python -m scripts.campaign_large_file",
        took_s=time.monotonic() - began,
        figures={
            "browser": f"Chromium {version}",
            "promises broken": ", ".join(broken) or "none",
            "policy of the page": f"`{found[-1].policy.split('nonce-')[0]}…`, with `connect-src 'self'`",
            "names and digests of the files in requests and in the server's log": sum(
                len(each.leaks) for each in found
            ),
        },
        table=table,
        notes=[
            "Memory is what all of the browser's processes hold alone, at its peak, above what they held before. What",
            "was sent is the record's id, to ask the server for its own word of the status.",
        ],
    )
    write_report(PAGE, report)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
