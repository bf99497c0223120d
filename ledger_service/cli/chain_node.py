"""`chain`: the embedded chain's node alone, for other tools to look at; who publishes on a chain."""

from __future__ import annotations

import click

from ledger_service.chain.embedded.node import NodeReady, run_node
from ledger_service.cli.exits import CANNOT_TELL
from ledger_service.cli.output import json_option, say_json
from ledger_service.clock import SystemClock
from ledger_service.config import settings_from_environment
from ledger_service.storage import failpoints
from ledger_service.wiring.installation import (
    chain_file,
    check_installation,
    load_files,
    load_publisher,
    note_chain_url,
)
from ledger_service.wiring.publisher import present_publisher
from ledger_service.wiring.publisher import rotate_publisher as change_publisher


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n"
    "  AUDIT_LEDGER_CHAIN_PORT=8545 audit-ledger chain\n"
    "  cast block latest --rpc-url http://127.0.0.1:8545\n"
    "  audit-ledger chain rotate-publisher\n",
)
@click.pass_context
def chain(ctx: click.Context) -> None:
    """Run the embedded chain's node until it is told to stop (SIGTERM or Ctrl-C), or do what COMMAND says.

    `serve` runs the node by itself; only one process can have the chain's file.
    """
    if ctx.invoked_subcommand is None:
        _run()


@chain.command(epilog="\b\nExample:\n  audit-ledger chain rotate-publisher\n")
@click.option("--dry-run", is_flag=True, help="Say who publishes now and do nothing.")
@json_option
@click.pass_context
def rotate_publisher(ctx: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Let another account publish, of a key made now. The running service hands everything over.

    Where others run the chain, the first call prints the new account's address: send it money and call again.
    `audit-ledger doctor` says when the new account has taken over.
    """
    settings = settings_from_environment()
    failpoints.arm(settings.failpoints)
    check_installation(settings)
    if dry_run:
        click.echo(f"0x{present_publisher(settings, clock=SystemClock()).hex()} publishes.")
        return
    done = change_publisher(settings, clock=SystemClock())
    present, following = f"0x{done.present.hex()}", f"0x{done.following.hex()}"
    if as_json:
        say_json({"present": present, "following": following, "named": done.named})
    elif done.named:
        click.echo(f"{following} publishes after {present}. The service hands over while it runs.")
    else:
        click.echo(f"Send money to {following}, then run this again.")
    if not done.named:
        ctx.exit(CANNOT_TELL)


def _run() -> None:
    settings = settings_from_environment()
    check_installation(settings)
    failpoints.arm(settings.failpoints)
    account = load_publisher(settings, load_files(settings))

    def say_ready(ready: NodeReady) -> None:
        note_chain_url(settings, ready.url)
        click.echo(f"{ready.url} chain {ready.chain_id} genesis 0x{ready.genesis_hash.hex()}")

    run_node(
        path=chain_file(settings),
        clock=SystemClock(),
        port=settings.chain_port,
        funded=account.address,
        unsafe_synchronous=settings.unsafe_synchronous,
        ready=say_ready,
    )
