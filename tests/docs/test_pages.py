"""The pages for readers are run as they stand, one after the other, in one shell and one empty folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.shell_pages import ROOT, read_blocks, run_blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("quickstart", "integrate", "verify-without-us", "operate")


def test_pages_work_as_written(tmp_path: Path) -> None:
    """Who follows the pages records, finds, proves, verifies with others' tools, rotates keys, restores and erases."""
    folder = tmp_path / "try-ledger"
    folder.mkdir()
    # What the pages say to install: ethers.
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    said = run_blocks(
        (block for page in PAGES for block in read_blocks(f"docs/{page}.md")), folder, timeout_s=420
    )
    for words in (
        '{"ready":true',
        "Genuine: valid (some fields)",
        "Not genuine: invalid",
        "idempotency_conflict",
        '{"row":2,"status":422,"code":"invalid_payload"',
        "%PDF-",
        "proven by a node now",
        "in the log, and signed: localhost/logs/bookshop/purchases",
        "the contract holds a head with this entry",
        "rollback_detected",
        "Clean:",
    ):
        assert words in said, words
    assert "Everybody may" not in said


def test_the_index_names_every_page() -> None:
    """A reader finds each page under docs/ from its index, and the index from the README."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in index} == set()
    assert "(docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
