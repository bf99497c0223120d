"""Settings: read from the environment once, in one function, and refused when unknown or unsafe.

Each field of `Settings` carries its own parser, default and sentence, and `docs/settings.md` is generated
from them. The variable of a field is its name in capitals after `AUDIT_LEDGER_`.
"""

from __future__ import annotations

import os
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from ledger_service.errors import SettingsError
from ledger_service.setting_values import (
    MAX_PORT,
    parse_chain_url,
    parse_database_url,
    parse_key,
    parse_listen_host,
    parse_log_level,
    parse_origin_host,
    parse_path,
    parse_ports,
    parse_secret_file,
    parse_text,
    parse_unsafe_synchronous,
    parse_unsafe_webhooks,
    seconds,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PREFIX: Final = "AUDIT_LEDGER_"
# Budgets of requests a minute; each server counts for itself. A budget may be spent at once.
_LIMIT: Final = whole(1, 1_000_000_000)


def _about(parse: Callable[[str], object], sentence: str, *, shown: str = "") -> dict[str, object]:
    """Return what a field says of itself; `shown` is how the documents show a default that is worked out."""
    return {"parse": parse, "sentence": sentence, "shown": shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator can choose. Made by `load_settings`; tests may construct it."""

    data_dir: Path = field(
        metadata=_about(
            parse_path,
            "Directory for the database, the embedded chain and the key files. Made with mode 0700.",
        )
    )
    database_url: str = field(
        default="",
        repr=False,
        metadata=_about(
            parse_database_url,
            "Where records are kept: `sqlite:////absolute/path` or `postgresql://user@host/name`.",
            shown="`ledger.db` in the data directory",
        ),
    )
    database_readers: int = field(
        default=32, metadata=_about(whole(1, 256), "Most database connections that read at the same time.")
    )
    database_writers: int = field(
        default=8,
        metadata=_about(
            whole(1, 64), "Most PostgreSQL connections that write at the same time; SQLite has one writer."
        ),
    )
    database_wait_s: float = field(
        default=30.0,
        metadata=_about(
            seconds(0.1, 600),
            "Longest wait for a connection or a lock before a caller is told to try again.",
        ),
    )
    disk_reserve_mb: int = field(
        default=64,
        metadata=_about(
            whole(0, 1_000_000),
            "New records are refused when less space than this is left; accepted ones are finished.",
        ),
    )
    origin_host: str = field(
        default="localhost",
        metadata=_about(
            parse_origin_host,
            "Host name that new logs carry in their origin for ever, with a port if it needs one.",
        ),
    )
    host: str = field(default="127.0.0.1", metadata=_about(parse_listen_host, "Address to listen on."))
    port: int = field(
        default=8080, metadata=_about(whole(0, MAX_PORT), "Port to listen on; 0 takes a free one.")
    )
    threads: int = field(default=32, metadata=_about(whole(1, 1_024), "Threads that answer requests."))
    max_body_bytes: int = field(
        default=1_048_576,
        metadata=_about(whole(1_024, 1_000_000_000), "Largest request body, streams of rows excepted."),
    )
    trusted_proxies: int = field(
        default=0,
        metadata=_about(
            whole(0, 16),
            "Proxies of yours in front of the service: a caller's address is the last but so many of"
            " X-Forwarded-For. With 0 the header is not looked at.",
        ),
    )
    hsts_days: int = field(
        default=0,
        metadata=_about(
            whole(0, 3_650),
            "Days for which browsers are told to come back over https only, to this host and all names below it"
            " (Strict-Transport-Security with includeSubDomains). Set it where a proxy ends TLS; 0 says"
            " nothing.",
        ),
    )
    limit_writes: int = field(
        default=60_000,
        metadata=_about(
            _LIMIT, "Writes of one API key a minute, here and now; a stream of rows counts once."
        ),
    )
    limit_reads: int = field(default=60_000, metadata=_about(_LIMIT, "Reads of one API key a minute."))
    limit_verifications: int = field(
        default=6_000,
        metadata=_about(_LIMIT, "Verifications a minute of one API key, or of one address without a key."),
    )
    limit_anonymous: int = field(
        default=12_000,
        metadata=_about(_LIMIT, "Other requests without a key, of one address, a minute."),
    )
    limit_failed_keys: int = field(
        default=120,
        metadata=_about(
            _LIMIT,
            "Keys that are no good, from one address, a minute. Beyond, only keys that worked before are looked"
            " at.",
        ),
    )
    operator_token_file: Path | None = field(
        default=None,
        metadata=_about(
            parse_secret_file,
            "File with a token of 32 or more characters, mode 0600: whoever sends it as Bearer reads /metrics."
            " Without it nobody does.",
            shown="none",
        ),
    )
    kek: bytes | None = field(
        default=None,
        repr=False,
        metadata=_about(
            parse_key,
            "The key-encryption key itself, 32 bytes in base64url, instead of a file.",
            shown="the file",
        ),
    )
    kek_file: Path | None = field(
        default=None,
        metadata=_about(
            parse_secret_file,
            "File with the key-encryption key, mode 0600, made at first start. Without it no payload opens."
            " Keep a copy apart.",
            shown="`keys/kek` in the data directory",
        ),
    )
    kek_generation: int = field(
        default=1,
        metadata=_about(
            whole(1, 999_999_999),
            "Generation of the key in AUDIT_LEDGER_KEK: one more than the last with each rotation.",
        ),
    )
    kek_previous: bytes | None = field(
        default=None,
        repr=False,
        metadata=_about(
            parse_key,
            "The key-encryption key of the generation before, while keys are rewrapped to the one in"
            " AUDIT_LEDGER_KEK.",
            shown="none",
        ),
    )
    chain_url: str | None = field(
        default=None,
        repr=False,
        metadata=_about(parse_chain_url, "JSON-RPC address of an EVM node.", shown="the embedded chain"),
    )
    chain_private_key_file: Path | None = field(
        default=None,
        metadata=_about(
            parse_secret_file,
            "File with the private key (64 hexadecimal digits) that pays for anchors, mode 0600.",
            shown="a key of the embedded chain",
        ),
    )
    chain_port: int = field(
        default=0,
        metadata=_about(whole(0, MAX_PORT), "Loopback port of the embedded chain; 0 takes a free one."),
    )
    chain_poll_s: float = field(
        default=1.0, metadata=_about(seconds(0.05, 3_600), "Time between two looks at the chain.")
    )
    anchor_every_s: float = field(
        default=5.0, metadata=_about(seconds(0, 86_400), "Shortest time between two anchors of one log.")
    )
    confirmations: int | None = field(
        default=None,
        metadata=_about(
            whole(1, 10_000),
            "Blocks that must hold an anchor, its own included, before it is final.",
            shown="1 on the embedded chain, 12 elsewhere",
        ),
    )
    sequence_bound_s: float = field(
        default=5.0,
        metadata=_about(
            seconds(0, 60), "Longest time a request waits for its proof before it is answered 202."
        ),
    )
    max_accept_delay_s: float = field(
        default=60.0,
        metadata=_about(
            seconds(1, 60), "Time within which an acceptance promises that its record is sequenced."
        ),
    )
    lease_s: float = field(
        default=10.0,
        metadata=_about(
            seconds(0.5, 60),
            "Of several servers on one database one sequences and anchors; the next takes over when nothing was"
            " heard of it for this long.",
        ),
    )
    queue_records: int = field(
        default=20_000,
        metadata=_about(
            whole(1, 1_000_000),
            "Records that may wait to be stored at a time. A single write beyond is refused, a stream waits.",
        ),
    )
    heartbeat_s: float = field(
        default=600.0,
        metadata=_about(seconds(1, 86_400), "A log without new entries signs a fresh checkpoint this often."),
    )
    bulk_batch: int = field(
        default=4000,
        metadata=_about(whole(1, 10_000), "Rows of a stream that are stored in one transaction."),
    )
    seal_workers: int = field(
        default=1,
        metadata=_about(
            whole(0, 64),
            "Processes that prepare the rows of streams; 0 prepares them in the request's thread.",
        ),
    )
    webhook_ports: tuple[int, ...] = field(
        default=(443,),
        metadata=_about(parse_ports, "Ports that webhooks may name, separated by commas.", shown="`443`"),
    )
    backup_days: int = field(
        default=35,
        metadata=_about(
            whole(0, 3_650),
            "Days for which backups of the database are kept. Erasure certificates promise that none is older.",
        ),
    )
    log_level: str = field(
        default="info",
        metadata=_about(parse_log_level, "Least level that is logged: debug, info, warning, error."),
    )
    failpoints: str = field(
        default="",
        metadata=_about(
            parse_text,
            "For tests: failpoints to arm, `name=action[:nth]` separated by commas.",
            shown="none",
        ),
    )
    unsafe_synchronous: str | None = field(
        default=None,
        metadata=_about(
            parse_unsafe_synchronous,
            "For the power-loss test only, UNSAFE: `NORMAL` or `OFF`. Acknowledged records get lost.",
            shown="off",
        ),
    )
    unsafe_webhooks: bool = field(
        default=False,
        metadata=_about(
            parse_unsafe_webhooks,
            "For tests only, UNSAFE: `yes` lets webhooks go over plain http, to any port and to loopback.",
            shown="off",
        ),
    )

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
        """Blocks that must hold an anchor before it is final, with the default filled in."""
        if self.confirmations is not None:
            return self.confirmations
        return 1 if self.chain_url is None else 12


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that `environ` states; an empty variable counts as one that is not there.

    Raises SettingsError, naming the variable and never its value, for names that do not exist, values that
    do not parse, and combinations that are unsafe.
    """
    known = {variable_of(each): each for each in fields(Settings)}
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"There is no setting {', '.join(unknown)}.", names=unknown)
    values: dict[str, Any] = {
        known[name].name: _parse(name, known[name], value) for name, value in given.items()
    }
    if "data_dir" not in values:
        raise SettingsError(
            f"{PREFIX}DATA_DIR is missing: say where to keep the data.", name=f"{PREFIX}DATA_DIR"
        )
    settings = Settings(**values)
    _check_together(settings)
    return settings


def settings_from_environment() -> Settings:
    """Return the settings of this process."""
    return load_settings(os.environ)


def port_from_environment() -> int:
    """Return the port of this machine's service, for commands that need no other setting; raises SettingsError."""
    value = os.environ.get(f"{PREFIX}PORT")
    each = next(each for each in fields(Settings) if each.name == "port")
    return int(str(_parse(f"{PREFIX}PORT", each, value) if value else each.default))


def variable_of(each: Field[Any]) -> str:
    """Return the name of the environment variable of a field of Settings."""
    return PREFIX + each.name.upper()


def _parse(name: str, each: Field[Any], value: str) -> object:
    try:
        return each.metadata["parse"](value)
    except SettingsError as error:
        # No parser repeats the value: it may be a secret, or a secret in the wrong place.
        raise SettingsError(f"{name}: {error.text}", name=name) from None


def _check_together(settings: Settings) -> None:
    if settings.kek is not None and settings.kek_file is not None:
        raise SettingsError(f"{PREFIX}KEK and {PREFIX}KEK_FILE are both set: which one holds the key?")
    if settings.kek_previous is not None and (settings.kek is None or settings.kek_generation == 1):
        raise SettingsError(
            f"{PREFIX}KEK_PREVIOUS needs {PREFIX}KEK and a {PREFIX}KEK_GENERATION of at least 2."
        )
    if settings.chain_url is not None and settings.chain_private_key_file is None:
        raise SettingsError(
            f"{PREFIX}CHAIN_URL needs {PREFIX}CHAIN_PRIVATE_KEY_FILE: somebody has to pay for anchors."
        )
    if settings.sequence_bound_s > settings.max_accept_delay_s:
        raise SettingsError(f"{PREFIX}SEQUENCE_BOUND_S is longer than {PREFIX}MAX_ACCEPT_DELAY_S.")
