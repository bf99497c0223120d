"""`kek`: the key-encryption key."""

from __future__ import annotations

import click

from ledger_service.cli.exits import FAILED
from ledger_service.cli.output import json_option, say_json
from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints
from ledger_service.wiring.installation import check_installation
from ledger_service.wiring.rotation import retire_kek, rotate_kek


@click.group()
def kek() -> None:
    """The key-encryption key: it wraps every other key and opens nothing itself."""


@kek.command(epilog="\b\nExample:\n  audit-ledger kek rotate\n")
@json_option
@click.pass_context
def rotate(ctx: click.Context, *, as_json: bool) -> None:
    """Make the next generation and wrap every key under it. The service may run meanwhile.

    An interrupted rotation is continued by the same command. Keep a copy of the new file apart from backups.
    """
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
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
@json_option
def retire(*, as_json: bool) -> None:
    """Destroy the older generations, once nothing refers to them. There is no way back.

    Backups from before the rotation open no payload afterwards.
    """
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
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
