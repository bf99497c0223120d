"""What a command says: words for people on a terminal, or one JSON document with `--json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from ledger_service.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


def json_option(command: F) -> F:
    """Give a command the `--json` switch, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of words.")(
        command
    )


def say_json(document: object) -> None:
    """Print a JSON document with a stable shape."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table that a terminal shows nicely and a pipe gets plainly."""
    console = Console(highlight=False)
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in cells:
            click.echo("\t".join(row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def refuse_pdf(document: bytes, *, inside: str) -> None:
    """Raise UsageError for a PDF, which is checked by the file inside that is named."""
    if document.startswith(b"%PDF-"):
        raise UsageError(f"This is a PDF: take what is inside with `pdfdetach -saveall`, and check {inside}.")
