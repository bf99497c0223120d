"""`erase`: destroy the contents of a data subject's records."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from ledger_service.cli.remote import Remote, remote_options, repeatable, required_key
from ledger_service.errors import UsageError
from ledger_service.records.erasure import REASONS

_DONE_BEFORE: Final = 200


@click.command(
    epilog="\b\nExamples:\n"
    "  echo customer-8805 | audit-ledger erase cdnow --reason subject_request --key-file cdnow.key\n"
    "  audit-ledger erase cdnow --subject-file subject.txt --reason retention_ended --key-file cdnow.key"
    " --out certificate.json\n"
)
@click.argument("org")
@click.option(
    "--subject-file", default="-", show_default=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File whose first line names the subject as the records do; - reads standard input.",
)  # fmt: skip
@click.option("--reason", required=True, type=click.Choice(REASONS), help="Why; it becomes public.")
@click.option("--idempotency-key", help="To ask again for the same erasure; a random one without.")
@click.option(
    "--out", type=click.Path(dir_okay=False), help="File for the certificate; standard output without."
)
@click.option("--dry-run", is_flag=True, help="Read key and subject, and ask nobody.")
@remote_options
def erase(
    org: str, *, subject_file: str, reason: str, idempotency_key: str | None, out: str | None, dry_run: bool,
    url: str, key_file: str | None,
) -> None:  # fmt: skip
    """Destroy the contents of every record of a data subject, for good, and print the certificate.

    The subject comes from a file or standard input, so that it stands in no list of processes. There is no
    way back.
    """
    if key_file == "-" == subject_file:
        raise UsageError("Only one of key and subject can come from standard input.")
    remote = Remote(url, required_key(key_file))
    subject = _read_subject(subject_file)
    if dry_run:
        click.echo(
            f"Would destroy the contents of every record in {org} of the subject that was named: {reason}."
        )
        return
    if out is not None:
        # Before anything is destroyed: the certificate is given once, unless the idempotency key is kept.
        Path(out).touch()
    key = idempotency_key or f"erase-{secrets.token_hex(16)}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    path = f"/v1/orgs/{quote(org, safe='')}/subjects/{quote(subject, safe='')}/erase"
    with repeatable(key):
        status, certificate = remote.post(path, json.dumps({"reason": reason}).encode(), headers=headers)
    if out is None:
        click.echo(certificate.decode())
    else:
        Path(out).write_bytes(certificate)
    done = "Erased before" if status == _DONE_BEFORE else "Erased"
    click.echo(f"{done} {json.loads(certificate)['records']} records; idempotency key {key}.", err=True)


def _read_subject(path: str) -> str:
    """The first line of the file, or of standard input; raises UsageError when nobody is named there."""
    try:
        text = sys.stdin.readline() if path == "-" else Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8.") from None
    subject = text.partition("\n")[0]
    if not subject:
        raise UsageError("No subject is named.")
    return subject
