"""Debian's Chromium, driven through Playwright: one process for a whole run, a fresh context for each page.

`CHROMIUM` names the program where it lies elsewhere. No name but this machine's resolves in it, so that a page
which asks for anything foreign fails.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
_FLAGS = (
    "--no-sandbox",  # the sandbox needs user namespaces or a set-uid helper, which a container may lack
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
)


@contextmanager
def launch_browser(*flags: str) -> Iterator[Browser]:
    """A headless Chromium with a new profile that ends with the block; fails with what to install."""
    if not CHROMIUM.exists():
        raise FileNotFoundError(
            f"{CHROMIUM} is missing: run `bash scripts/install_debian.sh`, or set CHROMIUM"
        )
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*_FLAGS, *flags]
        ) as browser,
    ):
        yield browser


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own. Leaving the block fails if a script of it failed."""
    context = browser.new_context()
    failures: list[str] = []
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
    finally:
        context.close()
    assert not failures, failures
