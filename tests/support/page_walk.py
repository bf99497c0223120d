"""Walking through the pages in a real browser: what each loads, how long it takes, what is wrong with it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

    from tests.support.shown_ledger import ShownLedger

DESKTOP, PHONE = 1280, 390
_AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
# Rules that say what WCAG 2.2 A and AA ask, and axe's own best practices.
_AXE_RUN = "() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"
_UNFOLD = "() => document.querySelectorAll('details').forEach((each) => each.open = true)"
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_CUT_OFF = """() => [...document.querySelectorAll(".scroll")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.getAttribute("aria-label"))"""
_TIMES = (
    "() => { const n = performance.getEntriesByType('navigation')[0]; return n.domContentLoadedEventEnd; }"
)
_SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  const observer = new PerformanceObserver((list) => list.getEntries().forEach((each) => (sum += each.value)));
  observer.observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(sum))));
})"""


@dataclass(slots=True)
class Walker:
    """One reader: a browser page, the language and the width it is read in, and what went wrong so far.

    `sent` counts the bytes that came over the wire for the page that is open.
    """

    page: Page
    url: str
    language: str
    wrong: list[str] = field(default_factory=list)
    sent: int = 0

    def open(self, path: str) -> None:
        """Open a page and wait until what it names is loaded and its scripts have run."""
        self.sent = 0
        joint = "&" if "?" in path else "?"
        self.page.goto(f"{self.url}{path}{joint}lang={self.language}", wait_until="load")

    def check(self) -> None:
        """Raise AssertionError unless the open page is in its language, fits, has a heading, and broke nothing."""
        page = self.page
        assert page.get_attribute("html", "lang") == {"en": "en", "zh": "zh-Hans"}[self.language]
        assert page.locator("h1").count() == 1
        assert page.title()
        assert self.wrong == []

    def check_width(self) -> None:
        """Raise AssertionError when the page is wider than the window."""
        assert self.page.evaluate(_WIDER) <= 0, self.page.url

    def cut_off(self) -> list[str]:
        """The tables of the open page of which a part is out of sight until somebody scrolls them sideways."""
        return list(self.page.evaluate(_CUT_OFF))

    def interactive_ms(self) -> float:
        """When the open page's scripts had run, from the start of its loading."""
        return float(self.page.evaluate(_TIMES))

    def layout_shift(self) -> float:
        """How far what is shown was pushed about since the page was opened, as a share of the window."""
        return float(self.page.evaluate(_SHIFT))

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical on the open page, with everything unfolded."""
        self.page.evaluate(_UNFOLD)
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(_AXE_RUN)
        return [
            f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    def tour(self, shown: ShownLedger) -> Iterator[str]:
        """Open every page, those for operators signed in; yields the path of each while it is open."""
        public, own = paths_of(shown)
        for path in public:
            self.open(path)
            yield path
        self.sign_in(shown.ledger.key)
        for path in own:
            self.open(path)
            yield path

    def sign_in(self, key: str) -> None:
        """Sign in to the operator's home."""
        self.open("/home")
        self.page.fill("#key", key)
        self.page.click("main form button[type=submit]")
        self.page.wait_for_selector("#health")


@contextmanager
def walker(
    browser: Browser,
    shown: ShownLedger,
    *,
    language: str = "en",
    width: int = DESKTOP,
    scripts: bool = True,
    dark: bool = False,
) -> Iterator[Walker]:
    """A reader with a new profile. What is asked of another host, and what the console calls an error, is wrong."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
    )
    try:
        page = context.new_page()
        walk = Walker(page, shown.url, language)
        host = urlsplit(shown.url).netloc
        page.on("request", lambda asked: _note_foreign(walk, asked.url, host))
        page.on("pageerror", lambda error: walk.wrong.append(str(error)))
        page.on("console", lambda said: walk.wrong.append(said.text) if said.type == "error" else None)
        _count(walk, context.new_cdp_session(page))
        yield walk
    finally:
        context.close()


def paths_of(shown: ShownLedger) -> tuple[list[str], list[str]]:
    """The pages for anyone, and those for operators."""
    records = shown.records
    names = ("purchase", "refunded", "valid completion", "revoked completion", "dataset")
    public = [
        "/",
        "/logs",
        "/logs/shop/purchases",
        "/verify",
        *(f"/records/{records[each]}" for each in names),
    ]
    own = ["/home", "/home/records", f"/home/records/{records['purchase']}", "/home/record/purchases"]
    return public, [*own, "/home/record/datasets", "/home/import"]


def _note_foreign(walk: Walker, url: str, host: str) -> None:
    if urlsplit(url).scheme not in {"data", "blob"} and urlsplit(url).netloc != host:
        walk.wrong.append(f"foreign request: {url}")


def _count(walk: Walker, session: CDPSession) -> None:
    def add(event: dict[str, Any]) -> None:
        walk.sent += int(event["encodedDataLength"])

    session.on("Network.loadingFinished", add)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
