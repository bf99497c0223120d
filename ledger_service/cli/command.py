"""The top of the command, and how it ends: one line of why, and an exit code that a script can use."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from ledger_service.cli.exits import FAILED, USAGE, exit_of
from ledger_service.cli.problems import describe_problem
from ledger_service.errors import InternalError, LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Command -> the module that has it, as an attribute of the same name. Loaded only when asked for:
# `verify` must not wait for the database and chain libraries that `serve` needs.
COMMANDS: Final[Mapping[str, str]] = {
    "init": "Make the data directory, keys and database.",
    "org": "Organizations: create, list.",
    "key": "API keys: create, list, revoke.",
    "webhook": "Webhooks: create, list, deliveries, remove.",
    "serve": "Run the service.",
    "chain": "Run the embedded chain's node alone; rotate the account that publishes.",
    "record": "Record rows of a file through a running service.",
    "issue": "Record completions of a file through a running service.",
    "notarize": "Record files by their digests; they stay where they are.",
    "find": "List and find an organization's records.",
    "erase": "Destroy the contents of a data subject's records.",
    "status": "Change the status of a record.",
    "revoke": "Take a completion back, for good.",
    "proof": "Fetch the evidence of a record.",
    "verify": "Check evidence, offline.",
    "report": "Check the signed report of a verification.",
    "audit": "Recompute everything from the stored bytes.",
    "trust": "Export what an outsider needs to check evidence.",
    "log": "The keys of a log: rotate, list.",
    "kek": "The key-encryption key: rotate, retire.",
    "doctor": "Check settings, keys, chain, clock and permissions.",
    "completion": "Print what makes a shell complete commands and options.",
}
_MODULES: Final[Mapping[str, str]] = {
    "init": "installation",
    "chain": "chain_node",
    "issue": "record",
    "revoke": "status",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's interface
        """The commands, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ledger_service.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without loading them."""
        found = [
            CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings come from AUDIT_LEDGER_* variables; docs/settings.md lists them. "
    "Exit codes: 0 done or genuine, 1 failed or not genuine, 2 cannot tell, 64 wrong usage.\n\n"
    "\b\nExamples:\n"
    "  export AUDIT_LEDGER_DATA_DIR=$HOME/ledger\n"
    "  audit-ledger init\n"
    '  audit-ledger org create cdnow --name "CDNOW, Inc."\n'
    "  audit-ledger key create cdnow --out cdnow.key\n"
    "  audit-ledger serve\n",
)
@click.version_option(package_name="audit-ledger", message="%(prog)s %(version)s")
def audit_ledger() -> None:
    """Record facts so that outsiders can check that nothing was changed or hidden."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; what went wrong stands on standard error in one line."""
    try:
        ended = audit_ledger.main(args=arguments, prog_name="audit-ledger", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return USAGE if isinstance(error, click.FileError) else FAILED
    except click.Abort:
        click.echo("Stopped.", err=True)
        return FAILED
    except Exception as error:  # noqa: BLE001  a traceback tells its reader nothing and may show what is private
        named = _named(error)
        click.echo(f"audit-ledger: {named.text} [{named.code}]{_details(named)}", err=True)
        return exit_of(named)
    return ended if isinstance(ended, int) else 0


def main() -> None:
    """Entry point of the `audit-ledger` script."""
    sys.exit(run())


def _named(error: Exception) -> LedgerError:
    """An error of ours as it is; a file that does not serve is wrong usage; what nobody foresaw has kind and place."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, OSError):
        named = error.filename is not None
        return (
            UsageError(f"{os.fsdecode(error.filename)}: {error.strerror}.")
            if named
            else LedgerError(f"{error}.")
        )
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return InternalError(f"This is a defect: {type(error).__name__} in {where}. Please report it.")


def _details(error: LedgerError) -> str:
    lines = []
    for name, value in error.details.items():
        if name == "fields" and isinstance(value, list):
            lines += [describe_problem(each) for each in value]
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{name}: {text}")
    return "".join(f"\n  {line}" for line in lines)
