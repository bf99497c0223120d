"""Values of settings: what each kind of text must look like, and what it means.

A parser never repeats the value that it refuses: it may be a secret, or a secret in the wrong place.
"""

from __future__ import annotations

import ipaddress
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ledger_service.errors import MalformedError, SettingsError
from ledger_service.proofs.canonical import decode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT: Final = 65_535
_MAX_DIGITS: Final = 12

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
    r"(:[1-9][0-9]{0,4})?"
)
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def parse_text(value: str) -> str:
    """Any text."""
    return value


def parse_path(value: str) -> Path:
    """An absolute path. Raises SettingsError for anything else."""
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise SettingsError("It is not an absolute path.")
    return path


def parse_secret_file(value: str) -> Path:
    """An absolute path; what lies there is open to its owner alone. Raises SettingsError for anything else."""
    path = parse_path(value)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError("The file holds a secret and others may open it: chmod 600.")
    return path


def parse_key(value: str) -> bytes:
    """32 bytes in base64url. Raises SettingsError for anything else."""
    try:
        return decode_base64url(value, size=32)
    except MalformedError:
        raise SettingsError("The key is not 32 bytes in base64url without padding.") from None


def parse_origin_host(value: str) -> str:
    """A host name, with a port if it needs one. Raises SettingsError for anything else."""
    if not _HOST.fullmatch(value) or port_of(value) > MAX_PORT:
        raise SettingsError("It is not a host name in lower case, with a port if it needs one.")
    return value


def port_of(host: str) -> int:
    """The port of a host name, or 0."""
    return int(host.partition(":")[2] or 0)


def parse_listen_host(value: str) -> str:
    """An address, or a host name. Raises SettingsError for anything else."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if _HOST.fullmatch(value) and ":" not in value:
            return value
        raise SettingsError("It is neither an address nor a host name.") from None


def parse_database_url(value: str) -> str:
    """A database of an engine that is supported. Raises SettingsError for anything else."""
    if not value.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise SettingsError("The database is sqlite:////absolute/path or postgresql://…")
    return value


def parse_chain_url(value: str) -> str:
    """An address of JSON-RPC. Raises SettingsError for anything else."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("The chain is an http:// or https:// URL.")
    return value


def parse_log_level(value: str) -> str:
    """A level of events. Raises SettingsError for anything else."""
    if value not in {"debug", "info", "warning", "error"}:
        raise SettingsError("The log level is debug, info, warning or error.")
    return value


def parse_unsafe_synchronous(value: str) -> str:
    """A way to lose data, for a test. Raises SettingsError for anything else."""
    if value not in {"NORMAL", "OFF"}:
        raise SettingsError("Only NORMAL and OFF may be asked for; leave it out to be safe.")
    return value


def parse_unsafe_webhooks(value: str) -> bool:
    """Yes, for a test. Raises SettingsError for anything else."""
    if value != "yes":
        raise SettingsError("Only yes may be asked for; leave it out to be safe.")
    return True


def parse_ports(value: str) -> tuple[int, ...]:
    """Ports, separated by commas. Raises SettingsError for anything else."""
    port = whole(1, MAX_PORT)
    return tuple(sorted({port(each.strip()) for each in value.split(",")}))


def whole(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(value: str) -> int:
        if not (
            value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS and least <= int(value) <= most
        ):
            raise SettingsError(f"It is not a whole number from {least} to {most}.")
        return int(value)

    return parse


def seconds(least: float, most: float) -> Callable[[str], float]:
    """A parser of seconds from `least` to `most`."""

    def parse(value: str) -> float:
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise SettingsError(f"It is not a number of seconds from {least:g} to {most:g}.")
        return float(value)

    return parse
