"""`record`: send the rows of a file through a running service."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.progress import Progress

from ledger_service.cli.exits import DONE, FAILED
from ledger_service.cli.output import json_option, say_json
from ledger_service.cli.remote import Remote, read_key, remote_options
from ledger_service.clock import SystemClock
from ledger_service.errors import LedgerError, UsageError
from ledger_service.records.bulk import ROW_KEY, take_row_key
from ledger_service.records.payload_text import parse_object
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.records.kinds import Kind

_SHOWN_FAILURES: Final = 20
_GOOD: Final = range(200, 300)
_KINDS: Final = {kind.word: kind for kind in KINDS.all() if kind.word is not None}


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger record cdnow --from purchases.ndjson --key-file cdnow.key\n"
    "  audit-ledger record cdnow --from purchases.ndjson --dry-run\n"
    "  cat purchases.ndjson | audit-ledger record cdnow --from - --key-file cdnow.key --json\n"
    "  audit-ledger record school --as completions --from completions.ndjson --key-file school.key\n"
)
@click.argument("org")
@click.option(
    "--from", "source", required=True, type=click.Path(dir_okay=False, allow_dash=True),
    help="File with one JSON object a line; - reads standard input.",
)  # fmt: skip
@click.option(
    "--as",
    "word",
    type=click.Choice(sorted(_KINDS)),
    default="purchases",
    show_default=True,
    help="What the rows are.",
)
@click.option("--dry-run", is_flag=True, help="Check every row here and send nothing.")
@click.option(
    "--idempotency-key",
    help="Rows sent again under the same key are recorded once. By default made from the file's content.",
)
@remote_options
@json_option
@click.pass_context
def record(
    ctx: click.Context, org: str, *, source: str, word: str, dry_run: bool, idempotency_key: str | None,
    url: str, key_file: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Record the rows of a file, one JSON object a line.

    An interrupted run is continued by the same command: rows that were recorded are answered as before and
    nothing is recorded twice.
    """
    body = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    rows = body.count(b"\n") + (not body.endswith(b"\n") and bool(body))
    if dry_run:
        ctx.exit(
            _report(_check_rows(body, _KINDS[word]), rows=rows, as_json=as_json, verb="would be recorded")
        )
    if key_file is None:
        raise UsageError("Recording needs --key-file.")
    name = idempotency_key or f"file-{hashlib.sha256(body).hexdigest()[:32]}"
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": name}
    answers = Remote(url, read_key(key_file)).stream(
        f"/v1/orgs/{org}/{word}/bulk", _pieces(body), headers=headers
    )
    ctx.exit(_report(answers, rows=rows, as_json=as_json, verb="recorded"))


def _pieces(body: bytes, *, size: int = 65_536) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _check_rows(body: bytes, kind: Kind) -> Iterator[dict[str, Any]]:
    now = SystemClock().now()
    for number, line in enumerate(body.splitlines(), start=1):
        try:
            payload = parse_object(line)
            if ROW_KEY in payload:
                take_row_key(payload)
            kind.parse(payload, now)
        except LedgerError as error:
            yield {"row": number, "status": 422, "code": error.code, "detail": error.text}
        else:
            yield {"row": number, "status": 200}


def _report(answers: Iterator[dict[str, Any]], *, rows: int, as_json: bool, verb: str) -> int:
    """Say what became of each row; returns the exit code."""
    good = failed = 0
    with Progress(console=Console(stderr=True), disable=as_json or not sys.stderr.isatty()) as progress:
        task = progress.add_task("rows", total=rows)
        for answer in answers:
            progress.advance(task)
            if answer["status"] in _GOOD:
                good += 1
            else:
                failed += 1
                if not as_json and failed <= _SHOWN_FAILURES:
                    progress.console.print(
                        f"row {answer['row']}: {answer['detail']} [{answer['code']}]", markup=False
                    )
            if as_json:
                say_json(answer)
    if not as_json:
        click.echo(f"{good} of {rows} rows {verb}, {failed} refused.")
    # An answer that broke off is a failure: the rows after it may or may not be recorded. Run it again.
    return DONE if failed == 0 and good == rows else FAILED
