"""What an error of the database means for us: try again, no space, out of reach, or stop writing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy.exc import SQLAlchemyError

from ledger_service.errors import (
    DamagedDataError,
    DiskFullError,
    MalformedError,
    StorageBusyError,
    StorageError,
    StorageFatalError,
    StorageUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_ODD: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)

# SQLite result codes (sqlite.org/rescode.html); the low byte is the primary code.
_SQLITE: Final[dict[int, type[StorageError]]] = {
    5: StorageBusyError,  # SQLITE_BUSY: another process holds the write lock
    6: StorageBusyError,  # SQLITE_LOCKED
    7: StorageUnavailableError,  # SQLITE_NOMEM
    8: StorageFatalError,  # SQLITE_READONLY_…: the file was moved or replaced under us
    10: StorageFatalError,  # SQLITE_IOERR
    11: StorageFatalError,  # SQLITE_CORRUPT
    13: DiskFullError,  # SQLITE_FULL
    14: StorageUnavailableError,  # SQLITE_CANTOPEN: for example no file descriptor left
    15: StorageBusyError,  # SQLITE_PROTOCOL: too many processes race for the WAL index
    26: StorageFatalError,  # SQLITE_NOTADB
}

_SQLITE_READONLY: Final = 8  # without an extended code: a statement that writes, on a reader's connection

# PostgreSQL error codes (postgresql.org/docs/15/errcodes-appendix.html), the most exact first.
_POSTGRES: Final[tuple[tuple[str, type[StorageError]], ...]] = (
    ("53100", DiskFullError),
    ("53", StorageBusyError),  # too many connections, out of memory
    ("40", StorageBusyError),  # serialization failure, deadlock: rolled back, try again
    ("55P03", StorageBusyError),  # lock not available
    ("57014", StorageBusyError),  # statement timeout
    ("57P", StorageUnavailableError),  # the server shuts down or starts up
    ("08", StorageUnavailableError),  # connection failure
    ("25006", StorageUnavailableError),  # the server has become a read-only replica
    ("58", StorageFatalError),  # I/O error on the server
    ("XX", StorageFatalError),  # corruption
)

# After these a COMMIT has certainly not happened; after any other error at COMMIT nobody knows.
_SQLITE_UNDONE: Final = frozenset({5, 6, 19})  # SQLITE_BUSY, SQLITE_LOCKED, SQLITE_CONSTRAINT
_POSTGRES_UNDONE: Final = ("23", "40001", "40P01")  # constraint, serialization failure, deadlock


def classify_error(error: BaseException) -> type[StorageError] | None:
    """Return what kind of storage error this is; None for a constraint or a mistake in a statement."""
    origin = getattr(error, "orig", None) or error
    number = getattr(origin, "sqlite_errorcode", None)
    if isinstance(number, int):
        return None if number == _SQLITE_READONLY else _SQLITE.get(number & 0xFF)
    if not _is_postgres(origin):
        return None
    state = getattr(origin, "sqlstate", None)
    if state is None:
        return (
            StorageUnavailableError
            if getattr(error, "connection_invalidated", False) or _is_broken(origin)
            else None
        )
    return next((kind for prefix, kind in _POSTGRES if state.startswith(prefix)), None)


@contextmanager
def as_damage() -> Iterator[None]:
    """Turn whatever an altered row makes of the code that reads it into DamagedDataError.

    Such a row can hold any value of any type, so that no list of checks is ever whole. Other errors of ours pass.
    """
    try:
        yield
    except MalformedError as error:
        raise DamagedDataError(cause=error.text) from error
    except _ODD as error:
        raise DamagedDataError(cause=type(error).__name__) from error
    except SQLAlchemyError as error:
        if classify_error(error) is not None:
            raise
        raise DamagedDataError(cause=type(getattr(error, "orig", None) or error).__name__) from error


def commit_outcome(error: BaseException) -> Literal["undone", "unknown"]:
    """Return what is known about a COMMIT that raised `error`."""
    origin = getattr(error, "orig", None) or error
    number = getattr(origin, "sqlite_errorcode", None)
    if isinstance(number, int):
        return "undone" if number & 0xFF in _SQLITE_UNDONE else "unknown"
    state = getattr(origin, "sqlstate", None) if _is_postgres(origin) else None
    return "undone" if state is not None and state.startswith(_POSTGRES_UNDONE) else "unknown"


def _is_postgres(origin: BaseException) -> bool:
    return type(origin).__module__.startswith("psycopg")


def _is_broken(origin: BaseException) -> bool:
    # psycopg raises OperationalError without a state when the connection itself is gone.
    return type(origin).__name__ in {"OperationalError", "InterfaceError"}
