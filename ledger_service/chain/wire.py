"""Reads the hexadecimal values of Ethereum's JSON-RPC, strictly: a node is a stranger."""

from __future__ import annotations

import re
from typing import Final

from ledger_service.errors import ChainUnavailableError

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})", re.ASCII)
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)


def parse_quantity(value: object, *, what: str) -> int:
    """Return a JSON-RPC QUANTITY as a number. Raises ChainUnavailableError, naming `what`."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ChainUnavailableError(f"The node's {what} is not a number.")
    return int(value, 16)


def parse_data(value: object, *, what: str, size: int | None = None) -> bytes:
    """Return JSON-RPC DATA as bytes, exactly `size` of them if given. Raises ChainUnavailableError."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise ChainUnavailableError(f"The node's {what} is not a string of bytes.")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise ChainUnavailableError(f"The node's {what} has {len(data)} bytes instead of {size}.")
    return data


def parse_object(value: object, *, what: str) -> dict[str, object]:
    """Return a JSON object. Raises ChainUnavailableError, naming `what`."""
    if not isinstance(value, dict):
        raise ChainUnavailableError(f"The node's {what} is not an object.")
    return value


def parse_list(value: object, *, what: str) -> list[object]:
    """Return a JSON array. Raises ChainUnavailableError, naming `what`."""
    if not isinstance(value, list):
        raise ChainUnavailableError(f"The node's {what} is not a list.")
    return value


def format_data(data: bytes) -> str:
    """Return bytes as JSON-RPC DATA."""
    return "0x" + data.hex()


def format_quantity(number: int) -> str:
    """Return a number as a JSON-RPC QUANTITY."""
    return hex(number)
