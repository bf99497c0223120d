"""`record`: send the rows of a file through a running service."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import click
from rich.console import Console
from rich.progress import Progress as Bar

from ledger_service.cli.exits import DONE, FAILED
from ledger_service.cli.output import json_option, say_json
from ledger_service.cli.problems import describe_problem
from ledger_service.cli.remote import Remote, remote_options, required_key
from ledger_service.cli.row_file import Row, RowFile
from ledger_service.cli.upload import Progress, Upload
from ledger_service.clock import SystemClock
from ledger_service.errors import LedgerError
from ledger_service.records.bulk import ROW_KEY, take_row_key
from ledger_service.records.payload_text import parse_object
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_SHOWN_FAILURES: Final = 20
_PIECE: Final = 1 << 20
_GOOD: Final = range(200, 300)
_KINDS: Final = {kind.word: kind for kind in KINDS.all() if kind.word is not None}


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger record cdnow --from purchases.ndjson --key-file cdnow.key\n"
    "  audit-ledger record cdnow --from purchases.csv --dry-run\n"
    "  cat purchases.ndjson | audit-ledger record cdnow --from - --key-file cdnow.key --json\n"
    "  audit-ledger record school --as completions --from completions.csv --key-file school.key\n"
)
@click.argument("org")
@click.option(
    "--from", "source", required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with one JSON object a line, or CSV with a header if its name ends in .csv; - reads lines from "
    "standard input.",
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
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    help="Seconds to go on trying while the service is away.",
)
@remote_options
@json_option
@click.pass_context
def record(
    ctx: click.Context, org: str, *, source: str, word: str, dry_run: bool, idempotency_key: str | None,
    patience_s: float, url: str, key_file: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Record the rows of a file.

    A cut connection or a restart of the service is waited for. An interrupted run is continued by the same
    command: FILE.progress.json remembers what is confirmed, and nothing is recorded twice. Rows that are
    refused stand in FILE.errors.ndjson with their line numbers.
    """
    with _file_of(source) as path:
        rows = RowFile(path, _KINDS[word])
        if dry_run:
            ctx.exit(_dry_run(rows, as_json=as_json))
        api_key = required_key(key_file)
        key = idempotency_key or f"file-{rows.digest()[:32]}"
        beside = None if source == "-" else path
        collection = f"/v1/orgs/{quote(org, safe='')}/{word}"
        progress = Progress.load(_beside(beside, ".progress.json"), key=key, target=url + collection)
        errors = _beside(beside, ".errors.ndjson")
        with _Report(total=sum(1 for _ in rows.rows()), done=progress.confirmed, as_json=as_json) as report:
            Upload(
                Remote(url, api_key),
                f"{collection}/bulk",
                rows,
                progress,
                errors,
                patience_s,
                report.tell,
            ).run()
    if not as_json:
        click.echo(f"{progress.recorded} of {progress.confirmed} rows recorded, {progress.refused} refused.")
        if progress.refused and errors is not None:
            click.echo(f"The refused ones stand in {errors}.")
    ctx.exit(FAILED if progress.refused else DONE)


@click.pass_context
def _issue(ctx: click.Context, /, **options: Any) -> None:
    ctx.invoke(record, word="completions", **options)


issue: Final = click.Command(
    "issue",
    callback=_issue,
    params=[each for each in record.params if each.name != "word"],
    help="Record the completions of a file: a learner, a course and a certificate number in each row.\n\n"
    "The same as `record --as completions`, which tells more.",
    epilog="\b\nExamples:\n"
    "  audit-ledger issue school --from completions.csv --dry-run\n"
    "  audit-ledger issue school --from completions.csv --key-file school.key\n",
)


@contextmanager
def _file_of(source: str) -> Iterator[Path]:
    """The file, or what standard input has in one that vanishes: rows are read more than once."""
    if source != "-":
        yield Path(source)
        return
    with tempfile.NamedTemporaryFile(prefix="rows-", suffix=".ndjson") as file:
        while piece := sys.stdin.buffer.read(_PIECE):
            file.write(piece)
        file.flush()
        yield Path(file.name)


def _beside(path: Path | None, ending: str) -> Path | None:
    return None if path is None else path.with_name(path.name + ending)


def _dry_run(rows: RowFile, *, as_json: bool) -> int:
    now = SystemClock().now()
    good = failed = 0
    with _Report(total=None, done=0, as_json=as_json) as report:
        for row in rows.rows():
            told = _check(row, rows, now)
            good += told["status"] in _GOOD
            failed += told["status"] not in _GOOD
            report.tell(told)
    if not as_json:
        click.echo(f"{good} of {good + failed} rows would be recorded, {failed} refused.")
    return FAILED if failed else DONE


def _check(row: Row, rows: RowFile, now: datetime) -> dict[str, Any]:
    try:
        if row.refusal is not None:
            raise row.refusal
        payload = parse_object(row.json)
        if ROW_KEY in payload:
            take_row_key(payload)
        rows.kind.parse(payload, now)
    except LedgerError as error:
        told = {"line": row.line, "row": row.number, "status": 422, "code": error.code, "detail": error.text}
        return told | {"errors": error.details}
    return {"row": row.number, "status": 200}


class _Report:
    """Says what became of rows: a bar on a terminal, the first refusals in words, or every row as JSON."""

    def __init__(self, *, total: int | None, done: int, as_json: bool) -> None:
        self._as_json = as_json
        self._shown = 0
        self._bar = Bar(console=Console(stderr=True), disable=as_json or not sys.stderr.isatty())
        self._task = self._bar.add_task("rows", total=total, completed=done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, told: dict[str, Any]) -> None:
        self._bar.advance(self._task)
        if self._as_json:
            say_json(told)
        elif told["status"] not in _GOOD and self._shown < _SHOWN_FAILURES:
            self._shown += 1
            words = f"line {told['line']}: {told['detail']} [{told['code']}]"
            problems = told.get("errors", {}).get("fields", ())
            words += "".join(f"\n  {describe_problem(each)}" for each in problems)
            self._bar.console.print(words, markup=False)
