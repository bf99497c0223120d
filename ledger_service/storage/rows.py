"""Many rows at once, without the cost of a statement builder for each of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text

from ledger_service.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.types import TypeEngine

_TYPES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (LargeBinary, "bytea"),
    (Text, "text"),
    (Integer, "bigint"),
    (BigInteger, "bigint"),
)
Value = int | str | bytes | None


def insert_rows(
    conn: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Value, ...]],
    *,
    ignore_conflicts: bool = False,
) -> None:
    """Insert `rows`, whose values stand in the order of `columns`.

    For columns of integers, text and bytes, which both drivers store as they are; other types are refused.
    With `ignore_conflicts`, rows that meet a unique key which is taken are left out.
    """
    if not rows:
        return
    statement = _insert_statement(table, columns, conn.dialect.name, ignore_conflicts)
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(statement, list(rows))
    else:
        conn.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))


def select_matching(
    conn: Connection,
    table: Table,
    columns: tuple[str, ...],
    *,
    equal: dict[str, Value],
    among: tuple[str, Iterable[Value]],
) -> Sequence[tuple[Any, ...]]:
    """Return `columns` of the rows with the values `equal` and one of `among[1]` in column `among[0]`."""
    name, values = among
    wanted = list(values)
    if not wanted:
        return []
    if conn.dialect.name == "sqlite":
        # Repeating the last value fills the list up to a power of two: few statements, all prepared.
        size = 1 << (len(wanted) - 1).bit_length()
        wanted += wanted[-1:] * (size - len(wanted))
        statement = _select_statement(table, columns, tuple(equal), name, size)
        return conn.exec_driver_sql(statement, (*equal.values(), *wanted)).fetchall()
    statement = _select_statement(table, columns, tuple(equal), name, 0)
    return conn.exec_driver_sql(statement, (*equal.values(), wanted)).fetchall()


@lru_cache(maxsize=512)
def _insert_statement(
    table: Table,
    columns: tuple[str, ...],
    dialect: str,
    ignore_conflicts: bool,  # noqa: FBT001  part of the cache's key
) -> str:
    # No value is ever part of a statement: the names come from our own tables.
    names = ", ".join(columns)
    tail = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    if dialect == "sqlite":
        return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))}){tail}"  # noqa: S608
    arrays = ", ".join(f"%s::{_type_name(table, name)}[]" for name in columns)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}){tail}"  # noqa: S608


@lru_cache(maxsize=512)
def _select_statement(
    table: Table, columns: tuple[str, ...], equal: tuple[str, ...], name: str, size: int
) -> str:
    mark = "?" if size else "%s"
    conditions = [f"{each} = {mark}" for each in equal]
    conditions.append(f"{name} IN ({', '.join('?' * size)})" if size else f"{name} = ANY(%s)")
    return f"SELECT {', '.join(columns)} FROM {table.name} WHERE {' AND '.join(conditions)}"  # noqa: S608


def _type_name(table: Table, column: str) -> str:
    kind = table.c[column].type
    for known, name in _TYPES:
        if isinstance(kind, known):
            return name
    raise StorageError(f"{table.name}.{column} is of a type that cannot be inserted in bulk.")
