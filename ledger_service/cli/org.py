"""`org`: organizations."""

from __future__ import annotations

import click

from ledger_service.accounts.organizations import check_name, check_slug
from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.proofs.canonical import format_time


@click.group()
def org() -> None:
    """Organizations: who keeps records here."""


@org.command(epilog='\b\nExample:\n  audit-ledger org create cdnow --name "CDNOW, Inc."\n')
@click.argument("slug")
@click.option("--name", required=True, help="What people call it.")
@click.option("--dry-run", is_flag=True, help="Check the names and make nothing.")
@json_option
def create(slug: str, *, name: str, dry_run: bool, as_json: bool) -> None:
    """Make an organization and open its logs. SLUG stands in URLs and origins and never changes.

    Run again after an interruption, it finishes what is missing.
    """
    check_slug(slug)
    check_name(name)
    if dry_run:
        click.echo(f"Would make the organization {slug}.")
        return
    with local_service() as service:
        made = service.create_organization(slug, name=name)
    origins = [log.origin for log in made]
    if as_json:
        say_json({"org": slug, "name": name, "logs": origins})
    else:
        click.echo(f"Made the organization {slug} with its logs:")
        for origin in origins:
            click.echo(f"  {origin}")


@org.command("list", epilog="\b\nExample:\n  audit-ledger org list --json\n")
@json_option
def list_(*, as_json: bool) -> None:
    """List the organizations."""
    with local_service() as service:
        found = service.organizations.all()
    if as_json:
        say_json(
            [{"org": each.slug, "name": each.name, "created": format_time(each.created)} for each in found]
        )
    else:
        say_table(
            ("org", "name", "created"), [(each.slug, each.name, format_time(each.created)) for each in found]
        )
