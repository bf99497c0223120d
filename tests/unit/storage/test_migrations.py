"""The schema that migrations make is the one the code describes, on both engines, all of it or nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from ledger_service.errors import SchemaError, StorageFatalError
from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from ledger_service.storage.migrations import HEAD, make_config
from scripts.new_migration import load_tables

ROOT = Path(__file__).parents[3]
OPTIONS = {"compare_type": True, "compare_server_default": True}


def tables_of(db: Database) -> set[str]:
    """Return the names of the tables in the database."""
    with db.read() as conn:
        return set(inspect(conn).get_table_names())


def test_code_and_migrations_agree(database_url: str) -> None:
    """After migrating, Alembic finds no difference between the database and the tables in the code."""
    load_tables()
    db = Database.open(database_url)
    db.migrate()
    with db.read() as conn:
        context = MigrationContext.configure(conn, opts=OPTIONS)
        assert compare_metadata(context, metadata) == []
    assert tables_of(db) == set(metadata.tables) | {"alembic_version"}
    db.check_schema()
    db.close()


def test_every_word_of_the_schema_agrees(tmp_path: Path) -> None:
    """On SQLite the migrated schema is, word by word, the one that the code would create at once."""
    load_tables()
    schemas = []
    for name, make in (("migrated", Database.migrate), ("created", lambda db: db.create_all(metadata))):
        db = Database.open(f"sqlite:///{tmp_path / name}.db")
        make(db)
        with db.read() as conn:
            rows = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        schemas.append(
            {
                row.name: sorted(re.findall(r"[\w']+", row.sql))
                for row in rows
                if row.name != "alembic_version"
            }
        )
        db.close()
    assert schemas[0] == schemas[1]


def test_migrating_again_does_nothing(database_url: str) -> None:
    """A database at the newest revision is left alone, also when nothing can be written any more."""
    db = Database.open(database_url)
    db.migrate()
    failpoints.arm("storage.migrate=fail")
    db.migrate()
    assert db.failure is None
    db.close()


def test_empty_database_is_not_taken_for_ours(database_url: str) -> None:
    """Before the migration the schema is refused with what was found and what is wanted."""
    db = Database.open(database_url)
    with pytest.raises(SchemaError) as caught:
        db.check_schema()
    assert caught.value.details == {"found": None, "wanted": HEAD}
    db.close()


def test_newer_database_is_refused(database_url: str) -> None:
    """A database that a newer program migrated is neither used nor migrated back."""
    db = Database.open(database_url)
    db.migrate()
    with db.write("storage.migrate") as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError):
        db.check_schema()
    with pytest.raises(SchemaError):
        db.migrate()
    assert "records" in tables_of(db)
    db.close()


@pytest.mark.parametrize("action", ["kill-before", "kill-after"])
def test_killed_migration_is_all_or_nothing(database_url: str, action: str) -> None:
    """Killed at its commit, the migration left no table or all of them; the next start completes it."""
    script = (
        "from ledger_service.storage import failpoints; from ledger_service.storage.engine import Database\n"
        f"failpoints.arm('storage.migrate={action}')\n"
        f"Database.open({database_url!r}).migrate()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert ran.returncode == -signal.SIGKILL
    db = Database.open(database_url)
    assert ("records" in tables_of(db)) is (action == "kill-after")
    assert len(tables_of(db)) == 0 or action == "kill-after"
    db.migrate()
    db.check_schema()
    db.close()


def test_failed_migration_is_all_or_nothing(database_url: str) -> None:
    """A migration whose commit fails leaves nothing and stops this process's writing."""
    db = Database.open(database_url)
    failpoints.arm("storage.migrate=fail")
    with pytest.raises(StorageFatalError):
        db.migrate()
    assert tables_of(db) == set()
    again = Database.open(database_url)
    again.migrate()
    again.check_schema()
    again.close()
    db.close()


def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    """Three processes that start on one empty database all find it ready."""
    script = f"from ledger_service.storage.engine import Database; Database.open({database_url!r}).migrate()"
    children = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    db = Database.open(database_url)
    db.check_schema()
    db.close()


def test_history_is_one_line_up_to_head(sqlite_url: str) -> None:
    """Revisions follow each other by number without a branch, and HEAD is the last."""
    db = Database.open(sqlite_url)
    with db.read() as conn:
        scripts = ScriptDirectory.from_config(make_config(conn))
    history = [each.revision for each in scripts.walk_revisions()][::-1]
    assert history == [f"{number:04}" for number in range(1, len(history) + 1)]
    assert scripts.get_heads() == [HEAD]
    db.close()
