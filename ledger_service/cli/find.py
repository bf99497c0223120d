"""`find`: list and find an organization's records through a running service."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.cli.remote import Remote, remote_options, required_key

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = ("accepted", "kind", "stage", "status", "index", "id")
_LARGEST_PAGE = 1000


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger find cdnow --key-file cdnow.key\n"
    "  audit-ledger find cdnow --ref 1001 --key-file cdnow.key\n"
    "  audit-ledger find cdnow --stage accepted --from 2026-11-01T00:00:00Z --json --key-file cdnow.key\n"
)
@click.argument("org")
@click.option("--ref", help="Your own number of the record; - reads it from standard input.")
@click.option("--kind", help="Only this kind, such as purchase/v1.")
@click.option(
    "--stage", help="Only what has come just so far: accepted, sequenced, published, anchored, final."
)
@click.option("--status", help="Only this status, such as active or revoked.")
@click.option("--from", "since", help="Only what was accepted at this time or later.")
@click.option("--to", "until", help="Only what was accepted before this time.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most records.")
@remote_options
@json_option
def find(
    org: str, *, ref: str | None, kind: str | None, stage: str | None, status: str | None, since: str | None,
    until: str | None, limit: int, url: str, key_file: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List the records of an organization, newest first. Needs a key that reads."""
    if ref == "-":
        ref = sys.stdin.readline().rstrip("\n")
    asked = {"ref": ref, "kind": kind, "stage": stage, "status": status, "from": since, "to": until}
    remote = Remote(url, required_key(key_file))
    given = {name: text for name, text in asked.items() if text is not None}
    found = list(_pages(remote, org, given, limit=limit))
    if as_json:
        say_json(found)
    else:
        say_table(_COLUMNS, [[row[name] for name in _COLUMNS] for row in found])


def _pages(remote: Remote, org: str, asked: dict[str, str], *, limit: int) -> Iterator[dict[str, Any]]:
    """The records of one page after the other, up to `limit`."""
    left = limit
    cursor: str | None = None
    while left:
        query = {**asked, "limit": str(min(left, _LARGEST_PAGE)), **({"cursor": cursor} if cursor else {})}
        page = json.loads(remote.get(f"/v1/orgs/{quote(org, safe='')}/records?{urlencode(query)}"))
        yield from page["records"]
        left -= len(page["records"])
        cursor = page["cursor"]
        if cursor is None:
            return
