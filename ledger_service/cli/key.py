"""`key`: API keys."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ledger_service.accounts.scopes import Scope, format_scopes, parse_scopes
from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.errors import UnknownKeyError
from ledger_service.proofs.canonical import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.accounts.api_keys import ApiKey


@click.group()
def key() -> None:
    """API keys: what a program shows to write and read for its organization."""


@key.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger key create cdnow --out cdnow.key\n"
    "  audit-ledger key create cdnow --scope records:read --expires-days 90 --label reports --out reports.key\n"
)
@click.argument("org")
@click.option(
    "--scope", "scopes", multiple=True, help=f"What the key may do, {' or '.join(Scope)}; all of it without."
)
@click.option("--expires-days", type=click.IntRange(1, 3650), help="Days until it ends; never without.")
@click.option(
    "--label", default="made on the command line", show_default=True, help="A note to tell keys apart."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="File to make for it, which only its owner may read; standard output without.",
)
@click.option("--dry-run", is_flag=True, help="Check organization and scopes and make nothing.")
@json_option
def create(
    org: str, *, scopes: tuple[str, ...], expires_days: int | None, label: str, out: str | None, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a key and print it, this once: only its hash is kept."""
    wanted = parse_scopes(" ".join(scopes)) if scopes else frozenset(Scope)
    with local_service() as service, ExitStack() as stack:
        owner = service.organizations.find(org)
        if dry_run:
            click.echo(f"Would make a key of {org} for {format_scopes(wanted)}.")
            return
        # Before the key: one that could not be written down would be lost.
        file = (
            None if out is None else stack.enter_context(open(out, "x", encoding="ascii", opener=_for_owner))
        )
        expires = (
            service.clock.now().replace(microsecond=0) + timedelta(days=expires_days)
            if expires_days
            else None
        )
        text = service.api_keys.issue(owner, scopes=wanted, label=label, expires=expires)
        if file is not None:
            file.write(text + "\n")
    if out is not None:
        click.echo(f"Wrote {out}.", err=True)
    elif as_json:
        say_json({"key": text, "org": org, "scopes": sorted(wanted), "expires": _time(expires)})
    else:
        click.echo(text)


@key.command("list", epilog="\b\nExample:\n  audit-ledger key list\n")
@json_option
def list_(*, as_json: bool) -> None:
    """List the keys, revoked ones too, without their secrets."""
    with local_service() as service:
        found = service.api_keys.all()
    if as_json:
        say_json([_document(each) for each in found])
        return
    rows = [_document(each).values() for each in found]
    say_table(("prefix", "org", "scopes", "label", "created", "expires", "revoked"), [[*row] for row in rows])


@key.command(epilog="\b\nExample:\n  audit-ledger key revoke 0123456789abcdef\n")
@click.argument("prefix")
@click.option("--dry-run", is_flag=True, help="Look for the key and leave it as it is.")
@json_option
def revoke(prefix: str, *, dry_run: bool, as_json: bool) -> None:
    """Make a key useless: at once here, within two seconds in a running service.

    PREFIX is the 16 digits after alk_, as `key list` shows them.
    """
    with local_service() as service:
        if dry_run:
            owner = next((each.org.slug for each in service.api_keys.all() if each.prefix == prefix), None)
            if owner is None:
                raise UnknownKeyError(prefix=prefix)
            click.echo(f"Would revoke {prefix} of {owner}.")
            return
        found = service.api_keys.revoke(prefix)
    if as_json:
        say_json(_document(found))
    else:
        click.echo(f"Revoked {prefix} of {found.org.slug}.")


def _document(each: ApiKey) -> dict[str, str | None]:
    return {
        "prefix": each.prefix,
        "org": each.org.slug,
        "scopes": format_scopes(each.scopes),
        "label": each.label,
        "created": _time(each.created),
        "expires": _time(each.expires),
        "revoked": _time(each.revoked),
    }


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
