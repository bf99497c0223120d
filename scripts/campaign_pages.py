"""Judges every page by Lighthouse, and measures on this machine how much it loads and when it can be used.

    python -m scripts.campaign_pages

Fetches Lighthouse from npm. Writes docs/campaigns/pages.md; exit code 1: a score under 95, over 150 kB, or a second.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scripts.campaign_report import Report, write_report
from tests.support.browser import launch_browser
from tests.support.lighthouse import LIGHTHOUSE, score
from tests.support.page_walk import Walker, paths_of, walker
from tests.support.shown_ledger import ShownLedger, shown_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path("docs/campaigns/pages.md")
PRESETS: Final = {"phone": (), "desktop": ("--preset=desktop",)}
LEAST_SCORE, MOST_BYTES, MOST_MS = 95, 150_000, 1_000
NOTES: Final = (
    "Scores are performance, accessibility, best practices. Lighthouse's phone has a quarter of this machine's speed",
    "and slow 4G, its desktop 10 Mbit/s. `kB` and `ms` are without slowing down, in an empty browser: what came over",
    "the wire, and when the scripts of the page had run, the worst of three times.",
)


def measure(reader: Walker, path: str) -> tuple[int, float]:
    """Bytes over the wire, and milliseconds until the page can be used, the worst of three."""
    found = []
    for _ in range(3):
        reader.open(path)
        reader.page.wait_for_load_state("networkidle")
        found.append((reader.sent, reader.interactive_ms()))
    return max(sent for sent, _ in found), max(took for _, took in found)


def judge(shown: ShownLedger) -> Iterator[tuple[str, int, float, list[list[int]]]]:
    """Every page with its bytes, its milliseconds, and its scores for each of PRESETS."""
    public, own = paths_of(shown)
    with launch_browser() as browser, walker(browser, shown) as reader:
        for path in public:
            yield path, *measure(reader, path), _scores(shown.url + path, "")
        reader.sign_in(shown.ledger.key)
        for path in own:
            cookie = "; ".join(f"{each['name']}={each['value']}" for each in reader.page.context.cookies())
            yield path, *measure(reader, path), _scores(shown.url + path, cookie)


def _scores(url: str, cookie: str) -> list[list[int]]:
    return [score(url, cookie, preset=preset) for preset in PRESETS.values()]


def main() -> int:
    """Judge all pages and write what came of it."""
    began = time.monotonic()
    rows, worst = [], [100, 0, 0.0]
    with tempfile.TemporaryDirectory() as folder, shown_ledger(Path(folder)) as shown:
        names = {value: f"<{name}>" for name, value in shown.records.items()}
        for path, sent, took, scores in judge(shown):
            worst = [min(worst[0], *map(min, scores)), max(worst[1], sent), max(worst[2], took)]
            said = "/".join(names.get(part, part) for part in path.split("/"))
            texts = [" · ".join(map(str, each)) for each in scores]
            rows.append((f"`{said}`", *texts, f"{sent / 1000:.0f}", f"{took:.0f}"))
            print(*rows[-1], flush=True)
    figures = {
        "pages": len(rows),
        "worst score": f"{worst[0]} of 100, asked {LEAST_SCORE}",
        "largest": f"{worst[1] / 1000:.0f} kB, at most {MOST_BYTES / 1000:.0f}",
        "slowest to be usable": f"{worst[2]:.0f} ms, at most {MOST_MS:,}",
    }
    columns = ("page", *PRESETS, "kB", "ms")
    command = "python -m scripts.campaign_pages"
    title = f"Pages, judged by {LIGHTHOUSE.replace('@', ' ').capitalize()}"
    write_report(PAGE, Report(title, command, time.monotonic() - began, figures, (columns, *rows), NOTES))
    return int(worst[0] < LEAST_SCORE or worst[1] > MOST_BYTES or worst[2] > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
