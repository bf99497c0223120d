"""`webhook`: where an organization wants to hear that its records are anchored."""

from __future__ import annotations

import click

from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.webhooks.documents import describe_delivery, describe_endpoint


@click.group()
def webhook() -> None:
    """Webhooks: an organization's own server hears when its records are anchored."""


@webhook.command(
    epilog="\b\nExample:\n  audit-ledger webhook create cdnow https://hooks.cdnow.example/ledger > cdnow.whsec\n"
)
@click.argument("org")
@click.argument("url")
@click.option("--dry-run", is_flag=True, help="Check organization and address and register nothing.")
@json_option
def create(org: str, url: str, *, dry_run: bool, as_json: bool) -> None:
    """Register an endpoint and print its signing secret, this once."""
    with local_service() as service:
        if dry_run:
            service.organizations.find(org)
            service.webhooks.endpoints.check_url(url)
            click.echo(f"Would register {url} for {org}.")
            return
        made = service.webhooks.endpoints.register(service.organizations.find(org), url)
    if as_json:
        say_json({**describe_endpoint(made.endpoint), "secret": made.secret})
    else:
        click.echo(made.secret)
        click.echo(f"Registered {made.endpoint.name}.", err=True)


@webhook.command("list", epilog="\b\nExample:\n  audit-ledger webhook list cdnow\n")
@click.argument("org")
@json_option
def list_(org: str, *, as_json: bool) -> None:
    """List an organization's endpoints, without their secrets."""
    with local_service() as service:
        found = [
            describe_endpoint(each)
            for each in service.webhooks.endpoints.all(service.organizations.find(org))
        ]
    if as_json:
        say_json(found)
    else:
        say_table(("id", "url", "created", "failures"), [[*each.values()] for each in found])


@webhook.command(
    epilog="\b\nExample:\n  audit-ledger webhook deliveries cdnow whe_0123456789abcdef01234567\n"
)
@click.argument("org")
@click.argument("endpoint")
@json_option
def deliveries(org: str, endpoint: str, *, as_json: bool) -> None:
    """Show the newest events of an endpoint and what became of them."""
    with local_service() as service:
        wanted = service.webhooks.endpoints.deliveries(service.organizations.find(org), endpoint)
    found = [describe_delivery(each) for each in wanted]
    if as_json:
        say_json(found)
    else:
        columns = ("id", "log", "size", "created", "state", "attempts", "attempted", "status", "problem")
        say_table(columns, [[*each.values()] for each in found])


@webhook.command(epilog="\b\nExample:\n  audit-ledger webhook remove cdnow whe_0123456789abcdef01234567\n")
@click.argument("org")
@click.argument("endpoint")
@click.option("--dry-run", is_flag=True, help="Check that the endpoint is there and remove nothing.")
def remove(org: str, endpoint: str, *, dry_run: bool) -> None:
    """Forget an endpoint, its secret and everything it was owed."""
    with local_service() as service:
        owner = service.organizations.find(org)
        if dry_run:
            service.webhooks.endpoints.deliveries(owner, endpoint)
            click.echo(f"Would remove {endpoint} of {org}.")
            return
        service.webhooks.endpoints.remove(owner, endpoint)
    click.echo(f"Removed {endpoint} of {org}.")
