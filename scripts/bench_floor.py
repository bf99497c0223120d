"""The floor: what recording a purchase costs when only the primitives run, bare, one after the other.

Parse the line, hash what has to be hashed, encrypt the payload, insert the rows and commit: no validation, no
encoding, no checks, no reading back, no signatures. Nothing that promises what we promise can be faster than this;
the question is how close to it we are.
"""

from __future__ import annotations

import os
import tempfile
import time
from hashlib import sha256
from hmac import digest as hmac_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pysqlite3 import dbapi2 as sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = 8
BATCH = 4_000
_ENTRY = bytes(380)
_SCHEMA = """
    CREATE TABLE records (id INTEGER PRIMARY KEY, rid BLOB UNIQUE, org INTEGER, log INTEGER, kind TEXT,
                          accepted INTEGER, reference BLOB, key INTEGER);
    CREATE TABLE salts (record INTEGER PRIMARY KEY, salt BLOB);
    CREATE TABLE payloads (record INTEGER PRIMARY KEY, generation INTEGER, sealed BLOB);
    CREATE TABLE keys (org INTEGER, key BLOB, line INTEGER, record INTEGER, fingerprint BLOB,
                       PRIMARY KEY (org, key, line)) WITHOUT ROWID;
    CREATE TABLE outbox (record INTEGER PRIMARY KEY, log INTEGER, leaf BLOB, entry BLOB);
    CREATE TABLE entries (record INTEGER PRIMARY KEY, log INTEGER, idx INTEGER, leaf BLOB, entry BLOB,
                          UNIQUE (log, idx));
"""
_MOVE = "INSERT INTO entries SELECT record, log, record, leaf, entry FROM outbox ORDER BY record"


def floor(lines: Sequence[bytes]) -> tuple[float, float]:
    """Give back the wall and CPU seconds that the bare primitives take for these lines."""
    with tempfile.TemporaryDirectory() as directory:
        conn = sqlite.connect(str(Path(directory) / "floor.sqlite"), isolation_level=None)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "secure_delete=ON",
            "wal_autocheckpoint=16384",
        ):
            conn.execute(f"PRAGMA {pragma}")
        conn.executescript(_SCHEMA)
        started, cpu = time.perf_counter(), time.process_time()
        for first in range(0, len(lines), BATCH):
            _store(conn, first, [_make(line) for line in lines[first : first + BATCH]])
        taken = time.perf_counter() - started, time.process_time() - cpu
        conn.close()
    return taken


def _make(line: bytes) -> tuple[bytes, ...]:
    orjson.loads(line)
    rid, salt, key_salt, nonce = os.urandom(16), os.urandom(32), os.urandom(32), os.urandom(12)
    leaves = [sha256(hmac_digest(salt, line[:32], "sha256") + line[:24]).digest() for _ in range(FIELDS)]
    root = leaves[0]
    for leaf in leaves[1:]:
        root = sha256(root + leaf).digest()
    leaf = sha256(_ENTRY + sha256(root + line[:200]).digest()).digest()
    key = hmac_digest(hmac_digest(key_salt, salt, "sha256"), line[:64], "sha256")
    sealed = AESGCM(key).encrypt(nonce, line, root)
    fingerprint = hmac_digest(salt, line, "sha256")[:16]
    reference = hmac_digest(salt, line[:16], "sha256")[:16]
    return rid, key_salt, sealed, fingerprint, reference, leaf


def _store(conn: Any, first: int, made: list[tuple[bytes, ...]]) -> None:
    rows = list(enumerate(made, first))
    conn.execute("BEGIN IMMEDIATE")
    records = [(n, r[0], 1, 1, "purchase/v1", 1_800_000_000_000_000, r[4], n % 20_000) for n, r in rows]
    conn.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
    conn.executemany("INSERT INTO salts VALUES (?, ?)", [(n, r[1]) for n, r in rows])
    conn.executemany("INSERT INTO payloads VALUES (?, 1, ?)", [(n, r[2]) for n, r in rows])
    conn.executemany("INSERT INTO keys VALUES (1, x'00', ?, ?, ?)", [(n, n, r[3]) for n, r in rows])
    conn.executemany("INSERT INTO outbox VALUES (?, 1, ?, ?)", [(n, r[5], _ENTRY) for n, r in rows])
    conn.execute("COMMIT")
    conn.execute("BEGIN IMMEDIATE")
    conn.execute(_MOVE)
    conn.execute("DELETE FROM outbox")
    head = made[0][5]
    for row in made[1:]:
        head = sha256(head + row[5]).digest()
    conn.execute("COMMIT")
