"""Rotating the key-encryption key, beside a service that runs: make a generation, rewrap, destroy the old one.

    rotate   make the next generation, unless two are there already; wrap every key under it, in batches
    retire   when nothing refers to an older one any more: destroy it

A crash at any step leaves both generations and keys wrapped by either, all of which open. The same command
again goes on where that one ended: what is rewrapped says so in its own row.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.errors import SettingsError
from ledger_service.vault.kek_ring import KekFiles
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.vault.tables import vault_keys
from ledger_service.wiring.installation import load_key_wrapper, open_checked_database

if TYPE_CHECKING:
    from ledger_service.config import Settings

BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rotation:
    """The generation that wraps now, how much was rewrapped, and the numbers of keys that did not open."""

    generation: int
    keys: int
    files: int
    failed: tuple[int, ...]


def rotate_kek(settings: Settings, *, batch: int = BATCH) -> Rotation:
    """Bring every key under the newest generation, a new one unless a rotation is under way.

    Raises SettingsError when the environment holds the key and not its predecessor, KeyFileError,
    KeyUnavailableError, StorageError. All of it can be repeated.
    """
    if settings.kek is None:
        files = KekFiles(settings.kek_path)
        found = files.generations()
        if len(found) == 1:
            files.create(found[0] + 1)
    elif settings.kek_previous is None:
        raise SettingsError(
            "The environment holds the key-encryption key: set the next one as AUDIT_LEDGER_KEK with its"
            " AUDIT_LEDGER_KEK_GENERATION, the present one as AUDIT_LEDGER_KEK_PREVIOUS, restart, and run this again."
        )
    wrapper = load_key_wrapper(settings)
    keyring = Keyring(wrapper)
    keys, last, failed = 0, 0, list[int]()
    with closing(open_checked_database(settings)) as database:
        while True:
            with database.write("vault.rewrap") as conn:
                done = keyring.rewrap(conn, after=last, limit=batch)
            if done is None:
                break
            # Keys that did not open stay as they are, and keep the old generation alive.
            last = done.last
            keys += done.count
            failed += done.failed
    count = SigningKeyFiles(settings.keys_dir, wrapper).rewrap()
    return Rotation(wrapper.generation, keys, count, tuple(failed))


def retire_kek(settings: Settings) -> tuple[int, ...]:
    """Destroy the older generations' files; returns which. In the environment they are the operator's to remove.

    Raises KeyInUseError while anything refers to one of them, and what `rotate_kek` raises.
    """
    wrapper = load_key_wrapper(settings)
    keyring, signing = Keyring(wrapper), SigningKeyFiles(settings.keys_dir, wrapper)
    old: tuple[int, ...] = ()
    with closing(open_checked_database(settings)) as database:
        # While this transaction is open no key can be made, under whatever generation.
        with database.write("vault.retire") as conn:
            keyring.check_retired(conn)
            signing.check_retired()
            if settings.kek is None:
                old = KekFiles(settings.kek_path).destroy_before(wrapper.generation)
        database.vacuum([vault_keys])
    return old
