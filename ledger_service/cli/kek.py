"""`kek`: the key-encryption key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger_service.cli.exits import FAILED
from ledger_service.cli.output import json_option, say_json
from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints
from ledger_service.vault.kek_ring import KekFiles
from ledger_service.wiring.installation import check_installation
from ledger_service.wiring.rotation import retire_kek, rotate_kek

if TYPE_CHECKING:
    from ledger_service.config import Settings


@click.group()
def kek() -> None:
    """The key-encryption key: it wraps every other key and opens nothing itself."""


@kek.command(epilog="\b\nExample:\n  audit-ledger kek rotate\n")
@click.option("--dry-run", is_flag=True, help="Say what would be made and make nothing.")
@json_option
@click.pass_context
def rotate(ctx: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Make the next generation and wrap every key under it. The service may run meanwhile.

    An interrupted rotation is continued by the same command. Keep a copy of the new file apart from backups.
    """
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
    if dry_run:
        found = _generations(settings)
        newest = found[0] + 1 if len(found) == 1 else found[-1]
        click.echo(f"Would wrap every key under generation {newest}.")
        return
    done = rotate_kek(settings)
    if as_json:
        say_json(
            {
                "generation": done.generation,
                "keys": done.keys,
                "files": done.files,
                "failed": list(done.failed),
            }
        )
    else:
        click.echo(
            f"Generation {done.generation} wraps now: {done.keys} keys and {done.files} files rewrapped."
        )
        for number in done.failed:
            click.echo(f"Key {number} did not open and stays as it is.", err=True)
    if done.failed:
        ctx.exit(FAILED)


@kek.command(epilog="\b\nExample:\n  audit-ledger kek retire\n")
@click.option("--dry-run", is_flag=True, help="Say which would be destroyed and destroy nothing.")
@json_option
def retire(*, dry_run: bool, as_json: bool) -> None:
    """Destroy the older generations, once nothing refers to them. There is no way back.

    Backups from before the rotation open no payload afterwards.
    """
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
    if dry_run:
        older = ", ".join(map(str, _generations(settings)[:-1])) or "none"
        click.echo(f"Would destroy, once nothing refers to them, the generations: {older}.")
        return
    destroyed = retire_kek(settings)
    if as_json:
        say_json({"destroyed": list(destroyed)})
    elif settings.kek is not None:
        click.echo(
            "Nothing refers to an older key: remove AUDIT_LEDGER_KEK_PREVIOUS and destroy your copies."
        )
    else:
        words = ", ".join(str(each) for each in destroyed) or "none"
        click.echo(f"Destroyed generations: {words}. Destroy your copies of them as well.")


def _generations(settings: Settings) -> list[int]:
    """The generations that there are, oldest first."""
    if settings.kek is None:
        return KekFiles(settings.kek_path).generations()
    return [settings.kek_generation - 1] * (settings.kek_previous is not None) + [settings.kek_generation]
