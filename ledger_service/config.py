"""Settings: read from the environment once, in one function, and refused when unknown or unsafe.

Each field of `Settings` carries its own parser, default and sentence, and `docs/settings.md` is generated from them.
The variable of a field is its name in capitals after `AUDIT_LEDGER_`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ledger_service.errors import SettingsError

PREFIX: Final = "AUDIT_LEDGER_"

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:[1-9][0-9]{0,4})?")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def _parse_text(value: str) -> str:
    return value


def _parse_path(value: str) -> Path:
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise SettingsError(f"{value!r} is not an absolute path.")
    return path


def _parse_secret_file(value: str) -> Path:
    path = _parse_path(value)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(f"{path} holds a secret and others may open it: chmod 600.")
    return path


def _parse_key(value: str) -> bytes:
    try:
        key = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingsError("The key is not base64url.") from error
    if len(key) != 32 or base64.urlsafe_b64encode(key).rstrip(b"=").decode() != value:
        raise SettingsError("The key is not 32 bytes in base64url without padding.")
    return key


def _parse_origin_host(value: str) -> str:
    if not _HOST.fullmatch(value) or _port_of(value) > 65_535:
        raise SettingsError(f"{value!r} is not a host name in lower case, with a port if it needs one.")
    return value


def _port_of(host: str) -> int:
    return int(host.partition(":")[2] or 0)


def _parse_listen_host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if _HOST.fullmatch(value) and ":" not in value:
            return value
        raise SettingsError(f"{value!r} is neither an address nor a host name.") from None


def _parse_database_url(value: str) -> str:
    if not value.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise SettingsError("The database is sqlite:////absolute/path or postgresql://…")
    return value


def _parse_chain_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("The chain is an http:// or https:// URL.")
    return value


def _parse_log_level(value: str) -> str:
    if value not in {"debug", "info", "warning", "error"}:
        raise SettingsError("The log level is debug, info, warning or error.")
    return value


def _parse_unsafe_synchronous(value: str) -> str:
    if value not in {"NORMAL", "OFF"}:
        raise SettingsError("Only NORMAL and OFF may be asked for; leave it out to be safe.")
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= 12 and least <= int(value) <= most):
            raise SettingsError(f"{value!r} is not a whole number from {least} to {most}.")
        return int(value)

    return parse


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise SettingsError(f"{value!r} is not a number of seconds from {least:g} to {most:g}.")
        return float(value)

    return parse


def _setting(parse: Callable[[str], Any], sentence: str, *, default: Any = MISSING, shown: str = "", secret: bool = False) -> Any:  # noqa: ANN401  a field's type is that of its annotation
    options = {} if default is MISSING else {"default": default}
    return field(repr=not secret, metadata={"parse": parse, "sentence": sentence, "shown": shown}, **options)  # type: ignore[call-overload,no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator can choose. Made by `load_settings`; tests may construct it."""

    data_dir: Path = _setting(
        _parse_path, "Directory for the database, the embedded chain and the key files. Made with mode 0700."
    )
    database_url: str = _setting(
        _parse_database_url,
        "Where records are kept: `sqlite:////absolute/path` or `postgresql://user@host/name`.",
        default="", shown="`ledger.db` in the data directory", secret=True,
    )  # fmt: skip
    database_readers: int = _setting(_whole(1, 256), "Most database connections that read at the same time.", default=32)
    database_writers: int = _setting(
        _whole(1, 64), "Most PostgreSQL connections that write at the same time; SQLite has one writer.", default=8
    )
    database_wait_s: float = _setting(
        _seconds(0.1, 600), "Longest wait for a connection or a lock before a caller is told to try again.", default=30.0
    )
    disk_reserve_mb: int = _setting(
        _whole(0, 1_000_000), "New records are refused when less space than this is left, so that accepted ones can be finished.",
        default=64,
    )  # fmt: skip
    origin_host: str = _setting(
        _parse_origin_host,
        "Host name that new logs carry in their origin for ever, with a port if it needs one. Never taken from a request.",
        default="localhost",
    )  # fmt: skip
    host: str = _setting(_parse_listen_host, "Address to listen on.", default="127.0.0.1")
    port: int = _setting(_whole(0, 65_535), "Port to listen on; 0 takes a free one.", default=8080)
    threads: int = _setting(_whole(1, 1_024), "Threads that answer requests.", default=32)
    max_body_bytes: int = _setting(
        _whole(1_024, 1_000_000_000), "Largest request body, streams of rows excepted.", default=1_048_576
    )
    kek: bytes | None = _setting(
        _parse_key, "The key-encryption key itself, 32 bytes in base64url, instead of a file.",
        default=None, shown="the file", secret=True,
    )  # fmt: skip
    kek_file: Path | None = _setting(
        _parse_secret_file,
        "File with the key-encryption key, mode 0600, made at first start. Keep a copy apart: without it no payload opens again.",
        default=None, shown="`keys/kek` in the data directory",
    )  # fmt: skip
    chain_url: str | None = _setting(
        _parse_chain_url, "JSON-RPC address of an EVM node.", default=None, shown="the embedded chain", secret=True
    )
    chain_private_key_file: Path | None = _setting(
        _parse_secret_file,
        "File with the private key (64 hexadecimal digits) that pays for anchors on a chain of others, mode 0600.",
        default=None, shown="a key of the embedded chain",
    )  # fmt: skip
    chain_port: int = _setting(_whole(0, 65_535), "Loopback port of the embedded chain; 0 takes a free one.", default=0)
    chain_poll_s: float = _setting(_seconds(0.05, 3_600), "Time between two looks at the chain.", default=1.0)
    anchor_every_s: float = _setting(_seconds(0, 86_400), "Shortest time between two anchors of one log.", default=5.0)
    confirmations: int | None = _setting(
        _whole(1, 10_000), "Blocks on top of an anchor before it is final.",
        default=None, shown="1 on the embedded chain, 12 elsewhere",
    )  # fmt: skip
    sequence_bound_s: float = _setting(
        _seconds(0, 60), "Longest time a request waits for its proof before it is answered 202.", default=5.0
    )
    max_accept_delay_s: float = _setting(
        _seconds(1, 60), "Time within which an acceptance promises that its record is sequenced.", default=60.0
    )
    heartbeat_s: float = _setting(
        _seconds(1, 86_400), "A log without new entries signs a fresh checkpoint this often.", default=600.0
    )
    bulk_batch: int = _setting(_whole(1, 10_000), "Rows of a stream that are stored in one transaction.", default=1_000)
    seal_workers: int = _setting(
        _whole(0, 64), "Processes that prepare the rows of streams; 0 prepares them in the request's thread.", default=0
    )
    log_level: str = _setting(_parse_log_level, "Least level that is logged: debug, info, warning, error.", default="info")
    failpoints: str = _setting(
        _parse_text, "For tests: failpoints to arm, `name=action[:nth]` separated by commas.", default="", shown="none"
    )
    unsafe_synchronous: str | None = _setting(
        _parse_unsafe_synchronous,
        "For the power-loss test only, UNSAFE: `NORMAL` or `OFF` acknowledges records that a power loss takes back.",
        default=None, shown="off",
    )  # fmt: skip

    @property
    def database(self) -> str:
        """The database URL, with its default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ledger.db'}"

    @property
    def keys_dir(self) -> Path:
        """The directory of the key files."""
        return self.data_dir / "keys"

    @property
    def kek_path(self) -> Path:
        """The file of the key-encryption key, with its default filled in."""
        return self.kek_file or self.keys_dir / "kek"

    @property
    def needed_confirmations(self) -> int:
        """Blocks on top of an anchor before it is final, with the default filled in."""
        if self.confirmations is not None:
            return self.confirmations
        return 1 if self.chain_url is None else 12


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that `environ` states; an empty variable counts as one that is not there.

    Raises SettingsError, naming the variable and never its value, for names that do not exist, values that do not
    parse, and combinations that are unsafe.
    """
    known = {variable_of(each): each for each in fields(Settings)}
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"There is no setting {', '.join(unknown)}.", names=unknown)
    values = {known[name].name: _parse(name, known[name], value) for name, value in given.items()}
    if "data_dir" not in values:
        raise SettingsError(f"{PREFIX}DATA_DIR is missing: say where to keep the data.", name=f"{PREFIX}DATA_DIR")
    settings = Settings(**values)
    _check_together(settings)
    return settings


def settings_from_environment() -> Settings:
    """Return the settings of this process: the only look at `os.environ`."""
    return load_settings(os.environ)


def variable_of(each: Field[Any]) -> str:
    """Return the name of the environment variable of a field of Settings."""
    return PREFIX + each.name.upper()


def _parse(name: str, each: Field[Any], value: str) -> object:
    try:
        return each.metadata["parse"](value)
    except SettingsError as error:
        # A secret's parser never repeats the value, so its words may be shown.
        raise SettingsError(f"{name}: {error.text}", name=name) from None


def _check_together(settings: Settings) -> None:
    if settings.kek is not None and settings.kek_file is not None:
        raise SettingsError(f"{PREFIX}KEK and {PREFIX}KEK_FILE are both set: which one holds the key?")
    if settings.chain_url is not None and settings.chain_private_key_file is None:
        raise SettingsError(f"{PREFIX}CHAIN_URL needs {PREFIX}CHAIN_PRIVATE_KEY_FILE: somebody has to pay for anchors.")
    if settings.sequence_bound_s > settings.max_accept_delay_s:
        raise SettingsError(f"{PREFIX}SEQUENCE_BOUND_S is longer than {PREFIX}MAX_ACCEPT_DELAY_S.")
