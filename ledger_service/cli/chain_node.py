"""`chain`: the embedded chain's node alone, for other tools to look at."""

from __future__ import annotations

import click

from ledger_service.chain.embedded.node import NodeReady, run_node
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


@click.command(
    epilog="\b\nExamples:\n"
    "  AUDIT_LEDGER_CHAIN_PORT=8545 audit-ledger chain\n"
    "  cast block latest --rpc-url http://127.0.0.1:8545\n"
)
def chain() -> None:
    """Run the embedded chain's node until it is told to stop (SIGTERM or Ctrl-C).

    `serve` does this by itself; only one process can have the chain's file.
    """
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
