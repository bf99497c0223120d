"""`log`: the keys that sign a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger_service.cli.output import json_option, say_json
from ledger_service.clock import SystemClock
from ledger_service.config import settings_from_environment
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.note import format_vkey
from ledger_service.storage import failpoints
from ledger_service.wiring.installation import check_installation
from ledger_service.wiring.log_keys import log_with_keys, rotate_log_keys

if TYPE_CHECKING:
    from ledger_service.config import Settings
    from ledger_service.log.eras import KeyEra
    from ledger_service.wiring.log_keys import KeyChange


@click.group()
def log() -> None:
    """Logs and the keys that sign them."""


@log.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger log rotate-keys cdnow purchases\n"
    "  audit-ledger log rotate-keys cdnow purchases --make\n"
    "  audit-ledger log rotate-keys cdnow purchases --leaked\n"
)
@click.argument("org")
@click.argument("collection")
@click.option(
    "--make",
    "only_make",
    is_flag=True,
    help="Only make the new keys, to be copied to the other hosts of the service before they sign.",
)
@click.option(
    "--leaked",
    is_flag=True,
    help="Somebody else may have the keys of today: nothing they alone vouch for is believed any more.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done and do nothing.")
@json_option
def rotate_keys(
    org: str, collection: str, *, only_make: bool, leaked: bool, dry_run: bool, as_json: bool
) -> None:
    """Let new keys sign a log, from the size on that it has now. The service may run meanwhile.

    What was signed before stays valid up to that size. The log's contract is told by the running service.
    Export policy and trust file again afterwards: verifiers need the new keys.
    """
    settings = _settings()
    done = rotate_log_keys(
        settings, org, collection, clock=SystemClock(), leaked=leaked, only_make=only_make, dry_run=dry_run
    )
    if as_json:
        say_json(
            {
                "origin": done.origin,
                "era": done.era,
                "from_size": done.size,
                "vkeys": [] if done.keys is None else [format_vkey(key) for key in done.keys.vkeys],
            }
        )
        return
    click.echo(_words(done))
    if done.size is not None:
        click.echo("Export policy and trust file again, and publish their fingerprints.")


@log.command(epilog="\b\nExample:\n  audit-ledger log keys cdnow purchases\n")
@click.argument("org")
@click.argument("collection")
@json_option
def keys(org: str, collection: str, *, as_json: bool) -> None:
    """Show the keys that sign a log and those that did, with the sizes they speak for."""
    found = log_with_keys(_settings(), org, collection, clock=SystemClock())
    eras = list(reversed(found.eras))
    if as_json:
        say_json([_era_json(era) for era in eras])
        return
    for era in eras:
        end = "on" if era.to_size is None else f"to {era.to_size}"
        words = ", leaked" if era.leaked else ""
        click.echo(f"keys {era.number}: sizes {era.from_size} {end}, since {format_time(era.began)}{words}")
        for key in era.vkeys:
            click.echo(f"  {format_vkey(key)}")


def _settings() -> Settings:
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
    return settings


def _words(done: KeyChange) -> str:
    if done.size is not None:
        return f"Keys {done.era} of {done.origin} sign from size {done.size} on."
    if done.keys is not None:
        return f"Keys {done.era} of {done.origin} are made. Copy the key directory, then run this without --make."
    return f"Would let keys {done.era} sign {done.origin}."


def _era_json(era: KeyEra) -> dict[str, object]:
    return {
        "era": era.number,
        "from_size": era.from_size,
        "to_size": era.to_size,
        "began": format_time(era.began),
        "leaked": era.leaked,
        "vkeys": [format_vkey(key) for key in era.vkeys],
    }
