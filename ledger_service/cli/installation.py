"""`init`: make the data directory, keys and database."""

from __future__ import annotations

import click

from ledger_service.cli.output import json_option, say_json
from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints
from ledger_service.wiring.installation import install


@click.command(
    epilog="\b\nExamples:\n"
    "  AUDIT_LEDGER_DATA_DIR=$HOME/ledger audit-ledger init\n"
    "  AUDIT_LEDGER_DATABASE_URL=postgresql://ledger@localhost/ledger audit-ledger init\n"
)
@click.option("--dry-run", is_flag=True, help="Say what would be made and make nothing.")
@json_option
def init(*, dry_run: bool, as_json: bool) -> None:
    """Make the data directory, the key-encryption key and the database. What exists stays as it is."""
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    if not dry_run:
        install(settings)
    if as_json:
        say_json(
            {"data_dir": str(settings.data_dir), "kek_file": str(settings.kek_path), "made": not dry_run}
        )
        return
    click.echo(f"{'Would make' if dry_run else 'Ready:'} {settings.data_dir}")
    if settings.kek is None:
        click.echo(
            f"Keep a copy of {settings.kek_path} apart from the backups: without it no payload opens again."
        )
