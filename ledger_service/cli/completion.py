"""`completion`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_AUDIT_LEDGER_COMPLETE"


@click.command(
    epilog="\b\nExamples:\n"
    '  eval "$(audit-ledger completion bash)"\n'
    "  audit-ledger completion fish > ~/.config/fish/completions/audit-ledger.fish\n"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for a shell; let its start-up file evaluate it."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "audit-ledger", _VARIABLE).source())
