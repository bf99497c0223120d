"""What the tests in the browser share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser_kernel import BrowserKernel, open_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def kernel(browser: Browser) -> Iterator[BrowserKernel]:
    """The browser's kernel in a page of its own."""
    with open_kernel(browser) as opened:
        yield opened
