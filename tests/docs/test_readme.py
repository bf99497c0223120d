"""The README is run as a newcomer would run it: every block, in order, in one shell, in an empty folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.shell_pages import ROOT, read_blocks, run_blocks

if TYPE_CHECKING:
    from pathlib import Path


def test_first_record_works_as_written(tmp_path: Path) -> None:
    """Who follows the README records a purchase, proves it, and has it verified offline as genuine."""
    blocks = read_blocks("README.md")
    assert [block.language for block in blocks] == ["bash", "bash", "bash", "python"]
    folder = tmp_path / "first-record"
    folder.mkdir()
    said = run_blocks(blocks, folder, timeout_s=120)
    assert "Genuine" in said
    assert "valid some fields" in said


def test_links_lead_somewhere() -> None:
    """Every relative link in the project's pages points to something that exists."""
    pages = [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "hardhat-free-local-chain.md")
    ]
    pages += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "ledger_service").rglob("README.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
