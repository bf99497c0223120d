"""The base of the tree of errors."""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """Base of the tree. `details` are safe to show to a caller: never put a secret or a payload there."""

    code: ClassVar[str] = "ledger_error"
    message: ClassVar[str] = "The ledger could not do what was asked."

    def __init__(self, message: str | None = None, **details: object) -> None:
        """Use the class's message unless a more exact one is given."""
        self.text = message or self.message
        self.details = details
        super().__init__(self.text)
