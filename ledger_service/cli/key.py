"""`key`: API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ledger_service.accounts.scopes import Scope, format_scopes, parse_scopes
from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.proofs.canonical import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.accounts.api_keys import ApiKey


@click.group()
def key() -> None:
    """API keys: what a program shows to write and read for its organization."""


@key.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger key create cdnow > cdnow.key\n"
    "  audit-ledger key create cdnow --scope records:read --expires-days 90 --label reports > reports.key\n"
)
@click.argument("org")
@click.option(
    "--scope", "scopes", multiple=True, help=f"What the key may do, {' or '.join(Scope)}; all of it without."
)
@click.option("--expires-days", type=click.IntRange(1, 3650), help="Days until it ends; never without.")
@click.option(
    "--label", default="made on the command line", show_default=True, help="A note to tell keys apart."
)
@json_option
def create(org: str, *, scopes: tuple[str, ...], expires_days: int | None, label: str, as_json: bool) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    wanted = parse_scopes(" ".join(scopes)) if scopes else frozenset(Scope)
    with local_service() as service:
        expires = (
            service.clock.now().replace(microsecond=0) + timedelta(days=expires_days)
            if expires_days
            else None
        )
        owner = service.organizations.find(org)
        text = service.api_keys.issue(owner, scopes=wanted, label=label, expires=expires)
    if as_json:
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
@json_option
def revoke(prefix: str, *, as_json: bool) -> None:
    """Make a key useless: at once here, within two seconds in a running service.

    PREFIX is the 16 digits after alk_, as `key list` shows them.
    """
    with local_service() as service:
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


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
