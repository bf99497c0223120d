"""The page that a campaign leaves in docs/campaigns: what ran, when, with which seed, and what came of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """What one page says. The table's first row is its heading."""

    title: str
    command: str
    took_s: float
    figures: Mapping[str, object]
    table: Sequence[Sequence[str]]
    notes: Sequence[str]


def write_report(page: Path, report: Report) -> None:
    """Write the page and print its figures."""
    lines = [
        f"# {report.title}",
        "",
        f"    {report.command}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {os.cpu_count()} cores, {report.took_s / 60:.0f} minutes.",
        "",
        *(f"- {name}: {value}" for name, value in report.figures.items()),
        "",
        *(f"| {' | '.join(row)} |" for row in report.table[:1]),
        *(f"|{'---|' * len(row)}" for row in report.table[:1]),
        *(f"| {' | '.join(row)} |" for row in report.table[1:]),
        "",
        *report.notes,
    ]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)


def _commit() -> str:
    run = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or "unknown"
