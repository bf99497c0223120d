"""What stands between callers and routes: budgets and figures, and the operator's token. One for each application."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from api.limits import Limits
from api.metrics import Metrics
from ledger_service.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_service.config import Settings
    from ledger_service.wiring import Service

_SHORTEST_TOKEN: Final = 32


@dataclass(frozen=True, slots=True)
class Edge:
    """The parts. Without an operator's token nobody is the operator."""

    settings: Settings
    limits: Limits
    metrics: Metrics
    operator_sha256: bytes | None = field(repr=False)


def build_edge(service: Service) -> Edge:
    """Make it; raises SettingsError when a token is configured that is not there, or easily guessed."""
    limits = Limits(service.settings)
    path = service.settings.operator_token_file
    return Edge(
        service.settings,
        limits,
        Metrics(service, limits.budgets),
        None if path is None else sha256(_read_token(path)).digest(),
    )


def _read_token(path: Path) -> bytes:
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"The operator's token cannot be read: {error.strerror}.") from error
    if len(token) < _SHORTEST_TOKEN or not token.isascii():
        raise SettingsError(f"The operator's token must have {_SHORTEST_TOKEN} or more ASCII characters.")
    return token
