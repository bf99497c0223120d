"""One random damage to the files of an installation: to its databases, by row or by bit, or to what lies beside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ledger_service.storage.sqlite import find_driver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

_DATABASES = ("ledger.db", "chain.sqlite")
_BESIDE = ("guard.json", "erasures.log", "keys/*")


class Untouched(Exception):  # noqa: N818  it asks for another draw
    """The damage that was drawn is not possible here, or changed nothing."""


def damage(rng: Random, data: Path) -> tuple[str, str]:
    """Damage the files in `data`; returns what kind of damage it was and what exactly was done."""
    while True:
        name = rng.choices([*_KINDS], [weight for _, weight in _KINDS.values()])[0]
        try:
            return name, _KINDS[name][0](rng, data)
        except (Untouched, find_driver().Error, sqlite3.Error):
            continue


def _flip_bits(rng: Random, data: Path) -> str:
    return _flip(rng, data / rng.choice([f"{name}{end}" for name in _DATABASES for end in ("", "", "-wal")]))


def _flip_beside(rng: Random, data: Path) -> str:
    return _flip(rng, rng.choice(_beside(data)))


def _flip(rng: Random, path: Path) -> str:
    content = bytearray(path.read_bytes()) if path.exists() else bytearray()
    if not content:
        raise Untouched
    places = [rng.randrange(len(content) * 8) for _ in range(rng.choice((1, 1, 1, 2, 8)))]
    for place in places:
        content[place // 8] ^= 1 << place % 8
    _write(path, bytes(content))
    return f"{path.name}: bits {places}"


def _remove_file(rng: Random, data: Path) -> str:
    paths = [*_beside(data), *(data / f"{name}{end}" for name in _DATABASES for end in ("", "-wal"))]
    path = rng.choice([each for each in paths if each.exists()])
    path.unlink()
    return f"{path.name} removed"


def _truncate_file(rng: Random, data: Path) -> str:
    paths = [*_beside(data), *(data / f"{name}{end}" for name in _DATABASES for end in ("", "-wal", "-wal"))]
    path = rng.choice([each for each in paths if each.exists() and each.stat().st_size])
    size = rng.randrange(path.stat().st_size)
    _write(path, path.read_bytes()[:size])
    return f"{path.name} cut to {size} bytes"


def _delete_row(rng: Random, data: Path) -> str:
    with closing(_open(rng, data)) as conn:
        table = _table(rng, conn)
        return _change(conn, f"DELETE FROM {table} WHERE {_where(rng, conn, table)}", ())


def _swap_values(rng: Random, data: Path) -> str:
    with closing(_open(rng, data)) as conn:
        table = _table(rng, conn)
        column = rng.choice(_columns(conn, table))[0]
        one, other = _where(rng, conn, table), _where(rng, conn, table)
        values = [conn.execute(f"SELECT {column} FROM {table} WHERE {w}").fetchone()[0] for w in (one, other)]
        if values[0] == values[1]:
            raise Untouched
        key = values[0] if isinstance(values[0], bytes | str) else None
        conn.execute("BEGIN")
        # A value in between, so that a unique column can be swapped.
        between: Any = (key[:-1] if key else None) if key is not None else -1
        said = []
        for where, value in ((one, between), (other, values[0]), (one, values[1])):
            said.append(_change(conn, f"UPDATE {table} SET {column}=? WHERE {where}", (value,)))
        conn.execute("COMMIT")
        return f"{table}.{column} of {one} and {other} swapped"


def _change_column(rng: Random, data: Path) -> str:
    with closing(_open(rng, data)) as conn:
        table = _table(rng, conn)
        column, nullable = rng.choice(_columns(conn, table))
        where = _where(rng, conn, table)
        value = conn.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
        changed = _other(rng, value, nullable=nullable)
        return _change(conn, f"UPDATE {table} SET {column}=? WHERE {where}", (changed,))


def _truncate_tile(rng: Random, data: Path) -> str:
    with closing(_connect(data / "ledger.db")) as conn:
        table = rng.choice(("log_tiles", "log_tiles", "checkpoints", "log_entries", "sealed_payloads"))
        column = {
            "log_tiles": "hashes",
            "checkpoints": "note",
            "log_entries": "entry",
            "sealed_payloads": "sealed",
        }[table]
        where = _where(rng, conn, table)
        value = conn.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
        size = rng.choice((rng.randrange(len(value)), (len(value) - 1) // 32 * 32))
        return _change(conn, f"UPDATE {table} SET {column}=? WHERE {where}", (value[:size],))


_KINDS: dict[str, tuple[Callable[[Random, Path], str], int]] = {
    "bits of a database": (_flip_bits, 30),
    "bits of a file beside": (_flip_beside, 8),
    "a file removed": (_remove_file, 4),
    "a file cut off": (_truncate_file, 8),
    "a row deleted": (_delete_row, 16),
    "values swapped": (_swap_values, 14),
    "a column changed": (_change_column, 14),
    "a tile or another blob cut off": (_truncate_tile, 6),
}


def _beside(data: Path) -> list[Path]:
    return sorted(path for pattern in _BESIDE for path in data.glob(pattern))


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777
    path.write_bytes(content)
    path.chmod(mode)


def _connect(path: Path) -> Any:
    if not path.exists():
        raise Untouched
    conn = find_driver().connect(str(path), isolation_level=None)
    # What is changed may break what the schema promises: that is the point.
    conn.execute("PRAGMA foreign_keys=OFF")
    conn.execute("PRAGMA ignore_check_constraints=ON")
    return conn


def _open(rng: Random, data: Path) -> Any:
    return _connect(data / rng.choices(_DATABASES, (5, 1))[0])


def _table(rng: Random, conn: Any) -> str:
    names = "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'"
    filled = [
        name
        for (name,) in conn.execute(names).fetchall()
        if conn.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()
    ]
    return str(rng.choice(filled))


def _columns(conn: Any, table: str) -> list[tuple[str, bool]]:
    return [(row[1], not row[3]) for row in conn.execute(f"PRAGMA table_info({table})").fetchall()]


def _where(rng: Random, conn: Any, table: str) -> str:
    """The condition for one row, by its primary key."""
    keys = [row[1] for row in conn.execute(f"PRAGMA table_info({table})").fetchall() if row[5]] or ["rowid"]
    rows = conn.execute(f"SELECT {', '.join(f'quote({key})' for key in keys)} FROM {table}").fetchall()
    row = rng.choice(rows)
    return " AND ".join(f"{key}={value}" for key, value in zip(keys, row, strict=True))


def _other(rng: Random, value: Any, *, nullable: bool) -> Any:
    if nullable and value is not None and rng.random() < 0.3:
        return None
    if value is None:
        return rng.choice((0, 1, rng.getrandbits(40), rng.randbytes(32), "x"))
    if isinstance(value, int):
        return value + rng.choice((1, -1, 1_000_000, -value, rng.getrandbits(40)))
    if isinstance(value, bytes):
        if not value:
            return b"\x00"
        place = rng.randrange(len(value))
        return value[:place] + bytes([value[place] ^ (1 << rng.randrange(8))]) + value[place + 1 :]
    text = str(value)
    place = rng.randrange(len(text)) if text else 0
    return text[:place] + rng.choice("abcxyz019") + text[place + 1 :]


def _change(conn: Any, statement: str, values: tuple[Any, ...]) -> str:
    if conn.execute(statement, values).rowcount != 1:
        raise Untouched
    return f"{statement} {str(values)[:60]}"
