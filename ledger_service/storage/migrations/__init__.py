"""The schema's history. A revision is written once and never changed; `HEAD` is the one this program needs.

To add one: change a `tables.py`, run `python scripts/new_migration.py <words>`, read what it wrote, and set
`HEAD`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import column as named
from sqlalchemy import inspect, select, table, text, update

from ledger_service.errors import SchemaError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

HEAD: Final = "0010"

# Two programs that start at once on an empty PostgreSQL database must not both create it. Any number serves.
_ADVISORY_LOCK: Final = 0x6C65_6467_6572
_VERSIONS: Final = table("alembic_version", named("version_num"))


def current_revision(conn: Connection) -> str | None:
    """Return the revision of the database behind `conn`, or None when it is empty."""
    if not inspect(conn).has_table(_VERSIONS.name):
        return None
    return conn.execute(select(_VERSIONS.c.version_num)).scalar_one_or_none()


def rewrite_revision(conn: Connection) -> None:
    """Write the revision over itself, to see whether anything can be written."""
    conn.execute(update(_VERSIONS).values(version_num=_VERSIONS.c.version_num))


def check_revision(conn: Connection) -> None:
    """Raise SchemaError unless the database has exactly the schema of this program."""
    found = current_revision(conn)
    if found != HEAD:
        raise SchemaError(found=found, wanted=HEAD)


def upgrade(conn: Connection) -> None:
    """Bring the database to HEAD, in the transaction of `conn`.

    Raises SchemaError for a database of a newer program: going back is what backups are for.
    """
    # Alembic is needed at this moment only; it would slow down every start of every command.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    try:
        command.upgrade(make_config(conn), "head")
    except CommandError as error:
        raise SchemaError(found=current_revision(conn), wanted=HEAD) from error


def make_config(conn: Connection) -> Config:
    """Return Alembic's configuration for this directory and this connection."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = conn
    return config
