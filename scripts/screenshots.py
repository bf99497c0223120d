"""Take a picture of every page into docs/screenshots: a ledger with samples, both languages, desktop and phone.

Desktop pictures are light, phone pictures dark. Run it again when a page has changed, and look at what it made.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.browser import launch_browser
from tests.support.page_walk import DESKTOP, PHONE, Walker, walker
from tests.support.pictures import reduce_palette
from tests.support.shown_ledger import ShownLedger, shown_ledger

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
MOST_BYTES: Final = 3_000_000
# Below this a long list only repeats itself.
TALLEST: Final = 3_200
_SIZE: Final = "() => [document.documentElement.clientWidth, document.documentElement.scrollHeight]"


def places(shown: ShownLedger) -> dict[str, str]:
    """The pages for anyone by the names of their pictures."""
    records = shown.records
    return {
        "front": "/",
        "logs": "/logs",
        "log": "/logs/shop/purchases",
        "record": f"/records/{records['purchase']}",
        "record-refunded": f"/records/{records['refunded']}",
        "record-revoked": f"/records/{records['revoked completion']}",
        "record-withheld": f"/records/{records['valid completion']}",
        "record-dataset": f"/records/{records['dataset']}",
        "verify": "/verify",
        "missing": "/records/AAAAAAAAAAAAAAAAAAAAAA",
        "sign-in": "/home",
    }


def own_places(shown: ShownLedger) -> dict[str, str]:
    """The operators' pages."""
    return {
        "home": "/home",
        "home-records": "/home/records",
        "home-record": f"/home/records/{shown.records['purchase']}",
        "home-form": "/home/record/purchases",
        "home-import": "/home/import",
    }


def take(reader: Walker, name: str, path: str, *, suffix: str) -> None:
    """Save a picture of a page."""
    reader.open(path)
    # Charts and pictures are drawn once the page is still.
    reader.page.wait_for_load_state("networkidle")
    width, height = reader.page.evaluate(_SIZE)
    shown: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST)}
    picture = reader.page.screenshot(full_page=True, animations="disabled", clip=shown)
    (FOLDER / f"{name}-{suffix}.png").write_bytes(reduce_palette(picture))


def main() -> int:
    """Take all of them; returns the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as folder,
        shown_ledger(Path(folder)) as shown,
        launch_browser() as browser,
    ):
        for language, width in (("en", DESKTOP), ("en", PHONE), ("zh", DESKTOP), ("zh", PHONE)):
            suffix = f"{language}-{'desktop' if width == DESKTOP else 'phone'}"
            with walker(browser, shown, language=language, width=width, dark=width == PHONE) as reader:
                for name, path in places(shown).items():
                    take(reader, name, path, suffix=suffix)
                reader.sign_in(shown.ledger.key)
                for name, path in own_places(shown).items():
                    take(reader, name, path, suffix=suffix)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(list(FOLDER.glob('*.png')))} pictures, {size / 1e6:.2f} MB")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
