"""PostgreSQL runs as promised or is refused."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from ledger_service.errors import UnsafeStorageError
from ledger_service.storage.engine import Database
from tests.support import postgres


def test_levels_are_those_that_we_count_on(postgres_url: str) -> None:
    """Readers have one read-only snapshot; writers read what is committed."""
    db = Database.open(postgres_url)
    with db.read() as conn:
        assert conn.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        assert conn.execute(text("SHOW transaction_read_only")).scalar_one() == "on"
    with db.write("records.accept") as conn:
        assert conn.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        assert conn.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
        assert conn.execute(text("SHOW timezone")).scalar_one() == "UTC"
    assert db.dialect == "postgresql"
    db.close()


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_server_that_may_lose_commits_is_refused(postgres_url: str, value: str) -> None:
    """A database whose commits return before they are durable is refused by the name of the setting."""
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET synchronous_commit = {value}")
    with pytest.raises(UnsafeStorageError, match=f"synchronous_commit={value}"):
        Database.open(postgres_url)


def test_unsafe_setting_is_said_aloud(postgres_url: str) -> None:
    """The unsafe override works on PostgreSQL too, and warns."""
    db = Database.open(postgres_url, unsafe_synchronous="OFF")
    with db.write("records.accept") as conn:
        assert conn.execute(text("SHOW synchronous_commit")).scalar_one() == "off"
    assert any("UNSAFE" in warning for warning in db.warnings)
    db.close()


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_server_that_does_not_sync_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs without syncing, or without protection from torn pages, is refused by name."""
    monkeypatch.setitem(postgres._SETTINGS, name, "off")
    with postgres.PostgresCluster.start() as cluster, pytest.raises(UnsafeStorageError, match=f"{name}=off"):
        Database.open(cluster.create_database())
