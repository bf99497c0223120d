"""The `audit-ledger` command: one module per group."""

from ledger_service.cli.command import main

__all__ = ["main"]
