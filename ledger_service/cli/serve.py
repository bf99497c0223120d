"""`serve`: the embedded chain and the HTTP server as children, and this process to watch over both."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click

from ledger_service.cli.exits import DONE, FAILED
from ledger_service.cli.web_server import WebServer, listen
from ledger_service.config import settings_from_environment
from ledger_service.errors import ChainFileError
from ledger_service.wiring.events import configure_events
from ledger_service.wiring.installation import check_installation, start_embedded_chain

if TYPE_CHECKING:
    from types import FrameType

    from ledger_service.chain.embedded.supervisor import EmbeddedNode

_GLANCE_S: Final = 0.2


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger serve\n"
    "  AUDIT_LEDGER_PORT=9000 audit-ledger serve\n"
    "  AUDIT_LEDGER_CHAIN_URL=http://127.0.0.1:8545 AUDIT_LEDGER_CHAIN_PRIVATE_KEY_FILE=$HOME/payer.key"
    " audit-ledger serve\n"
)
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Run the service until it is told to stop (SIGTERM or Ctrl-C).

    It ends with a failure of its own accord when storage failed in a way that only a clean start can judge.
    """
    settings = settings_from_environment()
    check_installation(settings)
    configure_events(settings.log_level)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    with ExitStack() as stack:
        # First of all, so that an address that is taken is said at once. Who asks before the server runs, waits.
        opened = stack.enter_context(listen(settings.host, settings.port))
        node = start_embedded_chain(settings)
        if node is not None:
            stack.callback(node.stop)
        server = WebServer(settings, opened)
        stack.callback(server.stop)
        click.echo(f"audit-ledger serves on {server.url}")
        ctx.exit(_watch(server, node, stop=stop))


def _watch(server: WebServer, node: EmbeddedNode | None, *, stop: threading.Event) -> int:
    """Wait until told to stop, or until the server ends by itself; returns the exit code."""
    while not stop.wait(_GLANCE_S):
        code = server.poll()
        if code is not None:
            click.echo(f"audit-ledger: the server ended by itself with {code}.", err=True)
            return FAILED
        if node is not None and node.life.gave_up:
            raise ChainFileError("The embedded chain refuses to start; its own words are above.")
    return DONE
