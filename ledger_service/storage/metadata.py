"""The one MetaData of all tables, and the column types that behave alike on SQLite and PostgreSQL.

Times are stored as whole microseconds since 1970-01-01T00:00:00Z, as `instant()` columns: both engines
order them, neither can attach a time zone to them, and rows can be inserted without conversion.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives out row ids of itself only to a primary key declared as INTEGER; its INTEGER holds 64 bits
# anyway.
RowId: Final = BigInteger().with_variant(Integer(), "sqlite")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def row_id(name: str = "id") -> Column[int]:
    """Return a primary key that the database counts up by itself.

    Numbers may be used again after the last row was deleted; where that must not happen (an outbox, a key
    id), the table also says `sqlite_autoincrement=True`.
    """
    return Column(name, RowId, primary_key=True, autoincrement=True)


def integer(name: str, *args: Any, **options: Any) -> Column[int]:
    """Return a 64-bit column, not null unless told."""
    return Column(name, BigInteger(), *args, **{"nullable": False, **options})


def blob(name: str, *args: Any, **options: Any) -> Column[bytes]:
    """Return a column of bytes, not null unless told."""
    return Column(name, LargeBinary(), *args, **{"nullable": False, **options})


def text(name: str, *args: Any, **options: Any) -> Column[str]:
    """Return a column of text, not null unless told."""
    return Column(name, Text(), *args, **{"nullable": False, **options})


def instant(name: str, *args: Any, **options: Any) -> Column[int]:
    """Return a column of microseconds since the epoch, not null unless told."""
    return integer(name, *args, **options)


def to_instant(moment: datetime) -> int:
    """Return the microseconds since the epoch of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def from_instant(instant_us: int) -> datetime:
    """Return the aware UTC moment of a stored instant."""
    return _EPOCH + timedelta(microseconds=instant_us)
