"""`proof`: fetch a record's evidence."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from ledger_service.cli.remote import Remote, read_key, remote_options, required_key


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger proof q1wFMcc0d1N4nU0dO5bYDA > evidence.json\n"
    "  audit-ledger proof q1wFMcc0d1N4nU0dO5bYDA --fields amount_minor,currency --key-file cdnow.key\n"
)
@click.argument("record_id", metavar="ID")
@click.option("--fields", help="Fields to disclose, separated by commas, or all. Needs a key.")
@click.option("--out", type=click.Path(dir_okay=False), help="File to write to; standard output without.")
@remote_options
def proof(record_id: str, *, fields: str | None, out: str | None, url: str, key_file: str | None) -> None:
    """Fetch the evidence of a record: everything an outsider needs to check it.

    Without --fields the contents stay hidden and anyone may fetch it.
    """
    query = f"?fields={quote(fields, safe=',')}" if fields else ""
    remote = Remote(url, required_key(key_file) if fields else read_key(key_file))
    evidence = remote.get(f"/v1/records/{quote(record_id, safe='')}/evidence{query}")
    if out is None:
        click.echo(evidence, nl=not evidence.endswith(b"\n"))
    else:
        Path(out).write_bytes(evidence)
        click.echo(f"Wrote {out}.", err=True)
