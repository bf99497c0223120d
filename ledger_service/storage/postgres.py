"""PostgreSQL as this project uses it: psycopg 3, and a server that keeps what it acknowledges.

Writers use READ COMMITTED: what must not change between reading and writing is guarded by a
compare-and-swap in the statement itself (`UPDATE … WHERE size = :old`) or by a unique key, both of which
hold at that level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from ledger_service.errors import UnsafeStorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

_SAFE: Final = {
    "fsync": frozenset({"on"}),
    "full_page_writes": frozenset({"on"}),
    "synchronous_commit": frozenset({"on", "remote_apply"}),
}


def make_engine(url: URL, *, writer: bool, timeout_s: float, unsafe_synchronous: str | None = None) -> Engine:
    """Return an engine: READ COMMITTED for a writer, one read-only snapshot per transaction for a reader."""
    options = f"-c lock_timeout={int(timeout_s * 1000)} -c timezone=UTC"
    if unsafe_synchronous is not None:
        options += " -c synchronous_commit=off"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        query_cache_size=2_000,
        isolation_level="READ COMMITTED" if writer else "REPEATABLE READ",
        connect_args={
            "connect_timeout": max(2, int(timeout_s)),
            # A statement used twice is prepared: most of ours are used for ever.
            "prepare_threshold": 1,
            "application_name": "audit-ledger",
            "options": options,
        },
    )
    if not writer:
        event.listen(engine, "connect", _make_read_only)
    return engine


def check_settings(conn: Connection, *, unsafe_synchronous: str | None) -> tuple[str, ...]:
    """Return warnings about this server; UnsafeStorageError when it could lose what it acknowledged."""
    if unsafe_synchronous is not None:
        return ("UNSAFE: synchronous_commit=off. Acknowledged records are lost when the power fails.",)
    for name, safe in _SAFE.items():
        value = conn.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one()
        if value not in safe:
            raise UnsafeStorageError(f"PostgreSQL runs with {name}={value}.", setting=name, value=value)
    return ()


def _make_read_only(connection: Any, _record: object) -> None:
    connection.read_only = True
