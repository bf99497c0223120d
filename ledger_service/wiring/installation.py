"""What an installation has on its disk.

Directory, key-encryption key, database, embedded chain, guard file.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select

from ledger_service.errors import ChainUnavailableError, KeyFileError, SettingsError
from ledger_service.storage.engine import Database
from ledger_service.storage.filesystem import make_directory
from ledger_service.vault.erasure_register import ErasureRegister
from ledger_service.vault.kek_ring import KekFiles, KekRing
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.vault.tables import vault_keys
from ledger_service.vault.wrapping import KeyEncryptionKey, create_kek

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger_service.chain.account import PublisherAccount
    from ledger_service.chain.embedded.supervisor import EmbeddedNode
    from ledger_service.config import Settings

_EMBEDDED: Final = "embedded"
_SECRET_DIGITS: Final = 64


def install(settings: Settings) -> None:
    """Make what is missing: the directory (0700), the key-encryption key, keys of the installation, the schema."""
    make_directory(settings.data_dir)
    database = open_database(settings)
    try:
        if settings.kek is None and not KekFiles(settings.kek_path).generations():
            _refuse_another_kek(settings, database)
            create_kek(settings.kek_path)
        files = load_files(settings)
        files.make_verification_key()
        if settings.chain_url is None:
            files.publisher_key(_EMBEDDED)
        database.migrate()
    finally:
        database.close()


def _refuse_another_kek(settings: Settings, database: Database) -> None:
    """Raise KeyFileError when keys exist already: a new key-encryption key would open none of them."""
    with database.read() as conn:
        made = inspect(conn).has_table(vault_keys.name) and conn.execute(select(vault_keys.c.id)).first()
    if made or any(settings.keys_dir.glob("*.key")):
        name = settings.kek_path.name
        raise KeyFileError(
            f"The key-encryption key {name} is missing and keys are wrapped by it: put your copy back in its place.",
            file=str(settings.kek_path),
        )


def check_installation(settings: Settings) -> None:
    """Raise SettingsError with the fix when `init` was not run here."""
    found = settings.kek is not None or KekFiles(settings.kek_path).generations()
    if not settings.data_dir.is_dir() or not found:
        raise SettingsError(
            f"There is no installation in {settings.data_dir}: run `audit-ledger init` first."
        )


def open_database(settings: Settings) -> Database:
    """The database of the settings. Open it after a fork, never before."""
    return Database.open(
        settings.database,
        readers=settings.database_readers,
        writers=settings.database_writers,
        wait_s=settings.database_wait_s,
        reserve_bytes=settings.disk_reserve_mb << 20,
        unsafe_synchronous=settings.unsafe_synchronous,
    )


def open_checked_database(settings: Settings) -> Database:
    """The database, once its schema is the one that this program needs; raises SchemaError."""
    database = open_database(settings)
    try:
        database.check_schema()
    except BaseException:
        database.close()
        raise
    return database


def load_key_wrapper(settings: Settings) -> KekRing:
    """The key-encryption keys; raises KeyFileError when their files are missing, unsafe or damaged."""
    if settings.kek is None:
        return KekRing.of_files(KekFiles(settings.kek_path))
    keys = [KeyEncryptionKey.from_bytes(settings.kek, generation=settings.kek_generation)]
    if settings.kek_previous is not None:
        before = settings.kek_generation - 1
        keys.append(KeyEncryptionKey.from_bytes(settings.kek_previous, generation=before))
    return KekRing(keys)


def load_files(settings: Settings) -> SigningKeyFiles:
    """The signing keys of this installation."""
    return SigningKeyFiles(settings.keys_dir, load_key_wrapper(settings))


def load_publisher(settings: Settings, files: SigningKeyFiles) -> PublisherAccount:
    """The account that pays for anchors.

    A key of ours on the embedded chain, the operator's file elsewhere.
    """
    from ledger_service.chain.account import PublisherAccount  # noqa: PLC0415  takes long to load

    if settings.chain_private_key_file is None:
        return PublisherAccount(files.publisher_key(_EMBEDDED).secp256k1())
    text = settings.chain_private_key_file.read_text(encoding="ascii").strip().removeprefix("0x")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(text) != _SECRET_DIGITS or len(secret) * 2 != _SECRET_DIGITS:
        raise KeyFileError("The chain's private key file must hold 64 hexadecimal digits.")
    return PublisherAccount(secret)


def publisher_accounts(settings: Settings, files: SigningKeyFiles) -> Callable[[str], PublisherAccount]:
    """The accounts that pay for anchors, by the names of their keys, each loaded once.

    The first one is that of `load_publisher`; those after it were made by `rotate-publisher`.
    """
    from ledger_service.chain.account import PublisherAccount  # noqa: PLC0415  takes long to load
    from ledger_service.chain.publishers import FIRST_KEY  # noqa: PLC0415  takes long to load

    @cache
    def account(key: str) -> PublisherAccount:
        if key == FIRST_KEY:
            return load_publisher(settings, files)
        return PublisherAccount(files.known_publisher_key(key).secp256k1())

    return account


def chain_file(settings: Settings) -> Path:
    """Where the embedded chain is kept."""
    return settings.data_dir / "chain.sqlite"


def guard_file(settings: Settings) -> Path:
    """Where the highest signed sizes are noted.

    Leave it out of backups: it is what a backup is compared with.
    """
    return settings.data_dir / "guard.json"


def erasure_register(settings: Settings) -> ErasureRegister:
    """What was ever erased. Never restore an older one: a restored database is corrected by the newest."""
    return ErasureRegister(settings.data_dir / "erasures.log")


def start_embedded_chain(settings: Settings) -> EmbeddedNode | None:
    """Start the embedded chain as a child process and note its address; None when the chain is elsewhere.

    It is not waited for: its port is open already, and whoever asks before it serves is answered when it does.
    """
    if settings.chain_url is not None:
        return None
    from ledger_service.chain.embedded.supervisor import EmbeddedNode  # noqa: PLC0415  takes long to load

    account = load_publisher(settings, load_files(settings))
    node = EmbeddedNode(
        chain_file(settings),
        funded=account.address,
        port=settings.chain_port,
        failpoints=settings.failpoints,
        unsafe_synchronous=settings.unsafe_synchronous,
    )
    with suppress(ChainUnavailableError):
        node.start(timeout_s=0)
    note_chain_url(settings, node.url)
    return node


def note_chain_url(settings: Settings, url: str) -> None:
    """Note where the embedded chain answers, for the processes beside the one that started it."""
    draft = _url_file(settings).with_suffix(".draft")
    draft.write_text(url + "\n", encoding="ascii")
    draft.replace(_url_file(settings))


def chain_url(settings: Settings) -> str:
    """Where the chain answers; raises ChainUnavailableError when the embedded one was never started."""
    if settings.chain_url is not None:
        return settings.chain_url
    try:
        return _url_file(settings).read_text(encoding="ascii").strip()
    except OSError:
        raise ChainUnavailableError(
            "The embedded chain was never started here: run `audit-ledger serve`."
        ) from None


def _url_file(settings: Settings) -> Path:
    return settings.data_dir / "chain.url"
