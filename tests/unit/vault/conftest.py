"""A key-encryption key, a keyring, and a database with the table of the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.tables import vault_keys
from ledger_service.vault.wrapping import KeyEncryptionKey

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_armed() -> Iterator[None]:
    """Failpoints armed in one test are gone in the next."""
    yield
    failpoints.disarm()


@pytest.fixture
def kek(rng: random.Random) -> KeyEncryptionKey:
    """Wraps the keys of this test."""
    return KeyEncryptionKey.from_bytes(rng.randbytes(32))


@pytest.fixture
def keyring(kek: KeyEncryptionKey) -> Keyring:
    """Finds and makes keys under the test's key-encryption key."""
    return Keyring(kek)


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Holds the table of the vault, on each engine in turn."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if sqlite else request.getfixturevalue("postgres_url")
    opened = Database.open(url)
    with opened.write("storage.migrate") as conn:
        metadata.create_all(conn, tables=[vault_keys])
    yield opened
    opened.close()
