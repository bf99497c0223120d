"""The pages in a real Chromium: in both languages, on desktop and phone, with and without scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger_service.clock import SystemClock
from ledger_service.config import load_settings
from ledger_service.wiring.log_keys import rotate_log_keys
from tests.support.page_walk import DESKTOP, PHONE, walker
from tests.support.shown_ledger import ShownLedger, shown_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

MOST_SENT = 150_000
# What Core Web Vitals call good, summed over the page's whole life.
MOST_SHIFT = 0.1
CSV = """order_number,buyer,paid_at,channel,currency,items.0.sku,items.0.quantity,items.0.amount_minor,amount_minor
W-1,customer-1,2026-11-01T10:15:00Z,web,EUR,CD-7,1,1250,1250
W-2,customer-2,2026-11-01T10:16:00Z,web,EUR,CD-7,1,1250,1251
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownLedger]:
    """One ledger for all tests of this module."""
    with shown_ledger(tmp_path_factory.mktemp("shown")) as served:
        yield served


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_whole(
    browser: Browser, shown: ShownLedger, language: str, width: int, *, scripts: bool
) -> None:
    """In its language, nothing foreign, nothing refused by its policy, no wider than the window; it can be read.

    In lists of logs and of records, and on the operator's home, no table has a part out of sight.
    axe-core finds nothing serious, in light and in dark, with everything that folds unfolded. With an empty cache
    each page takes less than 150 kB over the wire; how long it takes is printed.
    """
    measured = scripts and (language, width) in {("en", DESKTOP), ("zh", PHONE)}
    figures: dict[str, int] = {}
    violations: dict[str, list[str]] = {}
    with walker(
        browser, shown, language=language, width=width, scripts=scripts, dark=width == PHONE
    ) as reader:
        for path in reader.tour(shown):
            reader.check()
            if scripts:
                reader.check_width()
            if scripts and path in {"/logs", "/home", "/home/records"}:
                assert reader.cut_off() == []
            if measured:
                figures[path] = reader.sent
                print(f"{reader.sent / 1000:7.1f} kB {reader.interactive_ms():5.0f} ms  {path}")  # noqa: T201
                violations[path] = reader.violations()
    assert {path: sent for path, sent in figures.items() if not 5_000 < sent < MOST_SENT} == {}
    assert {path: found for path, found in violations.items() if found} == {}


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_charts_have_their_place_from_the_first_paint(
    browser: Browser, shown: ShownLedger, width: int
) -> None:
    """Drawn charts push nothing away; without scripts, where none is drawn, no empty place is left for them."""
    path = "/logs/shop/purchases"
    with walker(browser, shown, width=width) as reader:
        reader.open(path)
        reader.page.wait_for_selector("#chart-lag canvas")
        assert reader.layout_shift() < MOST_SHIFT
    with walker(browser, shown, width=width, scripts=False) as reader:
        reader.open(path)
        assert not reader.page.locator(".chart >> visible=true").count()


def test_consistency_is_checked_in_the_browser(browser: Browser, shown: ShownLedger) -> None:
    """The proof comes from the server and is checked by the page's own script; a false one does not pass."""
    with walker(browser, shown) as reader:
        reader.open("/logs/shop/purchases")
        reader.page.click("#consistency-form button")
        assert "Checked in your browser" in reader.page.inner_text("#consistency-result .note.good")
        reader.page.route(
            "**/consistency?*", lambda route: route.fulfill(json=false_proof(route.fetch().json()))
        )
        reader.page.fill("#consistency-form [name=from]", "7")
        reader.page.click("#consistency-form button")
        assert "does not hold" in reader.page.inner_text("#consistency-result .note.bad")


def false_proof(told: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same proof with its first two hashes exchanged."""
    first, second, *rest = told["proof"]
    return {**told, "proof": [second, first, *rest]}


def test_the_commands_of_a_record_work(shown: ShownLedger, browser: Browser, tmp_path: Path) -> None:
    """Copied from the page into a shell, they end with the verdict Genuine."""
    with walker(browser, shown) as reader:
        reader.open(f"/records/{shown.records['purchase']}")
        commands = reader.page.inner_text("#commands")
    assert commands.count("\n") == 3
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(Path.cwd())}
    run = ["bash", "-eu", "-c", commands]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Genuine")


def test_a_file_is_imported_with_scripts(browser: Browser, shown: ShownLedger, tmp_path: Path) -> None:
    """The file stays chosen between trying and recording, and refused rows are shown with their reasons."""
    rows = tmp_path / "rows.csv"
    rows.write_text(CSV, encoding="utf-8")
    with walker(browser, shown) as reader:
        reader.sign_in(shown.ledger.key)
        reader.open("/home/import")
        reader.page.select_option("#kind", "purchases")
        reader.page.set_input_files("#file", rows)
        reader.page.click("#import-form button[value=check]")
        assert "must be the sum of the items" in reader.page.inner_text("#import-result table")
        reader.page.click("#import-result button[value=record]")
        reader.page.wait_for_selector("#import-result button", state="detached")
        assert "Recorded: rows.csv" in reader.page.inner_text("#result")
        assert reader.wrong == []


def test_a_record_is_made_without_scripts(browser: Browser, shown: ShownLedger) -> None:
    """Signed in, filled in, recorded, looked at and signed out, by forms alone."""
    with walker(browser, shown, scripts=False) as reader:
        reader.sign_in(shown.ledger.key)
        reader.open("/home/record/purchases")
        for name, text in {
            "order_number": "by hand", "buyer": "customer-9", "paid_at": "2026-11-02T09:00:00Z", "channel": "web",
            "items.0.sku": "CD-9", "items.0.quantity": "1", "items.0.amount_minor": "990", "amount_minor": "990",
        }.items():  # fmt: skip
            reader.page.fill(f"[name='{name}']", text)
        reader.page.select_option("[name=currency]", "EUR")
        reader.page.click("form.fields button")
        assert "by hand" in reader.page.inner_text("main")
        reader.page.click("main .actions a >> nth=0")
        assert reader.page.inner_text("#verdict-line") == "Genuine"
        reader.open("/home")
        reader.page.click("nav.tabs button")
        assert reader.page.locator("#key").count() == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_replaced_keys_unfold_without_scripts(browser: Browser, shown: ShownLedger, language: str) -> None:
    """A log tells which of its keys to believe no more; it fits on a phone, and axe-core finds nothing serious."""
    settings = load_settings(shown.ledger.environment)
    rotate_log_keys(settings, "shop", "datasets", clock=SystemClock(), leaked=language == "en")
    path = "/logs/shop/datasets"
    with walker(browser, shown, language=language, width=PHONE, scripts=False) as reader:
        reader.open(path)
        reader.page.click("#replaced > summary")
        assert reader.page.locator("#replaced .note.bad >> visible=true").count() == 1
        reader.check()
    with walker(browser, shown, language=language, width=PHONE) as reader:
        reader.open(path)
        assert reader.violations() == []
        reader.check_width()
