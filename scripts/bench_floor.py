"""The floor: what recording a purchase costs when only the primitives run, bare, one after the other.

Parse the line, write the two JSON texts that are hashed and sealed, hash what has to be hashed, wrap or unwrap the
customer's key, encrypt the payload, insert the rows and commit. No validation, no checks, no reading back, no
signatures: nothing that promises what we promise can be faster. The question is how close to it we are.
"""

from __future__ import annotations

import os
import tempfile
import time
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pysqlite3 import dbapi2 as sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS, BATCH = 8, 4_000
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=16384")
_CLAIM = {"commitment": "c" * 43, "id": "i" * 22, "rest": "t" * 250}
_ENTRY = {"accepted": "2026-11-22T12:00:00Z", "claim": _CLAIM}
_SCHEMA = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, lookup BLOB UNIQUE, wrapped BLOB);
    CREATE TABLE records (id INTEGER PRIMARY KEY, rid BLOB UNIQUE, org, log, kind, accepted, reference, key);
    CREATE TABLE salts (record INTEGER PRIMARY KEY, salt BLOB);
    CREATE TABLE payloads (record INTEGER PRIMARY KEY, generation INTEGER, sealed BLOB);
    CREATE TABLE keys (org, key, line, record, fingerprint, PRIMARY KEY (org, key, line)) WITHOUT ROWID;
    CREATE TABLE outbox (record INTEGER PRIMARY KEY, log INTEGER, leaf BLOB, entry BLOB);
    CREATE TABLE entries (record INTEGER PRIMARY KEY, log, idx, leaf BLOB, entry BLOB, UNIQUE (log, idx));
"""
_MOVE = "INSERT INTO entries SELECT record, log, record, leaf, entry FROM outbox ORDER BY record"


def floor(lines: Sequence[bytes]) -> tuple[float, float]:
    """Give back the wall and CPU seconds that the bare primitives take for these lines."""
    with tempfile.TemporaryDirectory() as directory:
        conn = sqlite.connect(f"{directory}/floor.sqlite", isolation_level=None)
        for pragma in PRAGMAS:
            conn.execute(f"PRAGMA {pragma}")
        conn.executescript(_SCHEMA)
        started, cpu = time.perf_counter(), time.process_time()
        for first in range(0, len(lines), BATCH):
            made = [_make(line) for line in lines[first : first + BATCH]]
            _wrap_keys(conn, {row[-1] for row in made}, AESGCM(bytes(32)))
            _store(conn, first, made)
        taken = time.perf_counter() - started, time.process_time() - cpu
        conn.close()
    return taken


def _make(line: bytes) -> tuple[bytes, ...]:
    purchase = orjson.loads(line)
    text = orjson.dumps(purchase, option=orjson.OPT_SORT_KEYS)
    rid, salt, key_salt, nonce = os.urandom(16), os.urandom(32), os.urandom(32), os.urandom(12)
    root = b""
    for _ in range(FIELDS):  # a salt and a leaf for each field, and the tree over them
        root = sha256(root + sha256(hmac_digest(salt, text[:32], "sha256") + text[:24]).digest()).digest()
    entry = orjson.dumps(_ENTRY, option=orjson.OPT_SORT_KEYS)
    leaf = sha256(entry + sha256(root + text[:200]).digest()).digest()
    key = hmac_digest(hmac_digest(key_salt, salt, "sha256"), text[:64], "sha256")
    sealed = AESGCM(key).encrypt(nonce, text, root)
    asked = (text, text[:16], purchase["buyer"].encode())  # body, order number and customer, as keyed hashes
    hashed = [hmac_digest(b"k" * 32, each, "sha256")[:16] for each in asked]
    return rid, key_salt, sealed, leaf, entry, *hashed


def _wrap_keys(conn: Any, customers: set[bytes], wrapper: AESGCM) -> None:
    marks = ",".join("?" * len(customers))
    asked = f"SELECT lookup, wrapped FROM customers WHERE lookup IN ({marks})"  # noqa: S608 - marks only
    found = dict(conn.execute(asked, list(customers)).fetchall())
    _ = [wrapper.decrypt(lookup[:12], wrapped, lookup) for lookup, wrapped in found.items()]
    new = customers - found.keys()
    rows = [(lookup, wrapper.encrypt(lookup[:12], os.urandom(32), lookup)) for lookup in new]
    conn.execute("BEGIN IMMEDIATE")
    conn.executemany("INSERT INTO customers (lookup, wrapped) VALUES (?, ?)", rows)
    conn.execute("COMMIT")


def _store(conn: Any, first: int, made: list[tuple[bytes, ...]]) -> None:
    rows = list(enumerate(made, first))
    conn.execute("BEGIN IMMEDIATE")
    records = [(n, r[0], 1, 1, "purchase/v1", 1_800_000_000_000_000, r[6], n % 20_000) for n, r in rows]
    conn.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
    conn.executemany("INSERT INTO salts VALUES (?, ?)", [(n, r[1]) for n, r in rows])
    conn.executemany("INSERT INTO payloads VALUES (?, 1, ?)", [(n, r[2]) for n, r in rows])
    conn.executemany("INSERT INTO keys VALUES (1, x'00', ?, ?, ?)", [(n, n, r[5]) for n, r in rows])
    conn.executemany("INSERT INTO outbox VALUES (?, 1, ?, ?)", [(n, r[3], r[4]) for n, r in rows])
    conn.execute("COMMIT")
    conn.execute("BEGIN IMMEDIATE")
    conn.execute(_MOVE)
    conn.execute("DELETE FROM outbox")
    for row in made:  # the log's tree
        sha256(row[3] + row[3]).digest()
    conn.execute("COMMIT")
