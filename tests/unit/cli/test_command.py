"""The command as a whole: help, usage, exit codes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from ledger_service import errors
from ledger_service.cli.command import COMMANDS, audit_ledger
from ledger_service.cli.exits import exit_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Ended

NAMES = [
    "init",
    "org",
    "key",
    "webhook",
    "serve",
    "chain",
    "record",
    "issue",
    "notarize",
    "find",
    "erase",
    "status",
    "revoke",
    "proof",
    "verify",
    "report",
    "audit",
    "trust",
    "log",
    "kek",
    "doctor",
    "completion",
]


def leaves() -> list[tuple[str, ...]]:
    """Every command that does something, by its words."""
    context = click.Context(audit_ledger)
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = audit_ledger.get_command(context, name)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {}
        found += [(name, each) for each in inner] or [(name,)]
    return found


def test_the_commands_are_those_of_the_design(command: Callable[..., Ended]) -> None:
    """All of them, and each in the list that --help shows."""
    shown = command("--help")
    assert list(COMMANDS) == NAMES
    assert shown.code == 0
    assert all(f"  {name}" in shown.out for name in NAMES)


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_every_command_explains_itself(command: Callable[..., Ended], words: tuple[str, ...]) -> None:
    """--help of every command says what it does and shows an example that begins like it."""
    shown = command(*words, "--help")
    assert shown.code == 0
    assert "Example" in shown.out
    assert f"audit-ledger {' '.join(words)}" in shown.out


@pytest.mark.parametrize(
    "words",
    [["frob"], ["init", "--frob"], ["org"], ["org", "create"], ["key", "create", "a", "b"], ["verify"]],
)
def test_wrong_usage_ends_with_64(command: Callable[..., Ended], words: list[str]) -> None:
    """Click's own 2 would mean: cannot tell."""
    ended = command(*words)
    assert ended.code == 64
    assert ended.err or "Usage" in ended.out


def test_an_error_is_one_line_with_its_code(command: Callable[..., Ended]) -> None:
    """What went wrong stands on standard error with its stable code, and nothing on standard output."""
    ended = command("org", "list")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("audit-ledger: ")
    assert "[bad_setting]" in ended.err


def test_exit_codes_follow_the_table() -> None:
    """Cannot tell is 2, wrong usage 64, everything else 1."""
    assert exit_of(errors.ChainUnavailableError()) == 2
    assert exit_of(errors.SettingsError()) == 64
    assert exit_of(errors.CorruptLogError()) == 1


def test_verifying_loads_neither_database_nor_chain() -> None:
    """`verify` stands on the kernel: it starts fast, and runs where nothing else is installed."""
    script = (
        "import sys; from ledger_service.cli.command import run; run(['verify', '--help']);"
        "sys.exit(any(name in sys.modules for name in ('sqlalchemy', 'web3', 'flask', 'eth')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0
