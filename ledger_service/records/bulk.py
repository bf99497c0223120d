"""Preparing records by the thousand, in worker processes if there are cores for them.

A worker sees lines of text and the keys they need, holds no database, and gives back bytes. Workers are
started afresh (never forked out of a process with threads) and end with the pool.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import orjson

from ledger_service.errors import InvalidPayloadError, LedgerError, MalformedError, PreparationError
from ledger_service.records.intake import Submission
from ledger_service.records.kinds import refuse
from ledger_service.records.payload_text import parse_object
from ledger_service.records.preparation import (
    IdempotencyKey,
    LogTarget,
    Prepared,
    RecordMaker,
    SealingKey,
    WriterKeys,
    WriteToken,
    encode_values,
    fingerprint,
    hash_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from ledger_service.records.kinds import Kind

CHUNK_LINES: Final = 4_000
"""Lines in one chunk. Each random id touches another page of their index, so small chunks cost more."""

_REFUSED: Final = 3
_SUBMITTED: Final = 1

ROW_KEY: Final = "idempotency_key"
"""The member of a row that names it by itself, in place of the stream's key and the row's line."""
_VISIBLE: Final = re.compile(r"[!-~]{1,255}", re.ASCII)

# A row that points at another record is only read here: what it points at is known where it is accepted.
BulkRow: TypeAlias = "Prepared | Submission | InvalidPayloadError | MalformedError"


@dataclass(frozen=True, slots=True)
class BulkChunk:
    """Lines of one bulk request and all that preparing them takes. `first_line` counts from 1."""

    target: LogTarget
    kind: Kind
    lines: Sequence[bytes]
    first_line: int
    idempotency_key: str | None
    accepted: datetime
    writer: WriterKeys
    org: SealingKey
    subjects: Mapping[str, SealingKey]


def subjects_of(kind: Kind, lines: Iterable[bytes]) -> set[str]:
    """The subjects of those lines that could be valid. The keys of these a chunk has to carry."""
    subjects: set[str] = set()
    for line in lines:
        try:
            # Quicker than the strict reader, which refuses whatever this one misreads.
            payload = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        subject = kind.subject_of(payload) if type(payload) is dict else None
        if subject is not None:
            subjects.add(subject)
    return subjects


def take_row_key(payload: dict[str, Any]) -> str:
    """Take a row's own idempotency key out of its payload; raises InvalidPayloadError when it is none."""
    key = payload.pop(ROW_KEY)
    if type(key) is not str or not _VISIBLE.fullmatch(key):
        raise refuse([{"field": ROW_KEY, "problem": "must be 1 to 255 visible ASCII characters"}])
    return key


def prepare_chunk(chunk: BulkChunk, entropy: Callable[[int], bytes] = os.urandom) -> list[BulkRow]:
    """For each line its record, or why there is none."""
    kind, keys = chunk.kind, chunk.writer
    maker = RecordMaker(kind, target=chunk.target, keys=keys, accepted=chunk.accepted, entropy=entropy)
    hashed = None if chunk.idempotency_key is None else hash_key(chunk.idempotency_key, keys=keys)
    rows: list[BulkRow] = []
    for number, line in enumerate(chunk.lines, chunk.first_line):
        try:
            payload = parse_object(line)
            own_key = take_row_key(payload) if ROW_KEY in payload else None
            parsed = kind.parse(payload, chunk.accepted)
            if parsed.points_at is not None:
                rows.append(Submission(chunk.target, kind, parsed, _row_key(chunk, own_key, number)))
                continue
            values = encode_values(parsed)
            token = None
            if own_key is not None or hashed is not None:
                body = fingerprint(parsed, values, kind=kind, target=chunk.target, keys=keys)
                if own_key is not None:
                    token = WriteToken(hash_key(own_key, keys=keys), 0, body)
                elif hashed is not None:
                    token = WriteToken(hashed, number, body)
            sealing = chunk.org if parsed.subject is None else chunk.subjects[parsed.subject]
            made, _ = maker.make(parsed, values, sealing=sealing, token=token)
            rows.append(made)
        except (InvalidPayloadError, MalformedError) as error:
            rows.append(error)
    return rows


def _row_key(chunk: BulkChunk, own_key: str | None, line: int) -> IdempotencyKey | None:
    if own_key is not None:
        return IdempotencyKey(own_key)
    return None if chunk.idempotency_key is None else IdempotencyKey(chunk.idempotency_key, line)


class BulkPreparer:
    """Prepares chunks in `workers` processes, or at once in the caller's thread when there are none."""

    __slots__ = ("_lock", "_pool", "_workers")

    def __init__(self, *, workers: int) -> None:
        """Start nothing yet: a worker starts with the first chunk that needs it."""
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, chunk: BulkChunk) -> Future[list[BulkRow]]:
        """Prepare a chunk. It raises PreparationError if its worker dies; the next one gets others."""
        done: Future[list[BulkRow]] = Future()
        if not self._workers:
            done.set_result(prepare_chunk(chunk))
            return done
        with self._lock:
            if self._pool is None:
                self._pool = _start_pool(self._workers)
            pool = self._pool
        try:
            packed = pool.submit(_work, chunk)
        except BrokenProcessPool:
            self._drop(pool)
            return self.submit(chunk)
        packed.add_done_callback(lambda each: _unpack(each, done))
        return done

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [] if self._pool is None else sorted(self._pool._processes or ())  # noqa: SLF001  no other way

    def close(self) -> None:
        """Wait for what is being prepared and end the workers."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            self._drop(pool)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=True, cancel_futures=True)


def _start_pool(workers: int) -> ProcessPoolExecutor:
    # Not forked out of this process, whose threads hold locks, but out of a server with this module loaded.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Let this worker end with the process that uses it, even when that one is killed."""
    # A Ctrl-C goes to the whole terminal; the process that uses the workers ends them when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# Between processes go plain tuples: they pickle in a third of the time that classes take.
_Packed: TypeAlias = "tuple[Any, ...]"


def _work(chunk: BulkChunk) -> list[_Packed]:
    return [_pack(row) for row in prepare_chunk(chunk)]


def _pack(row: BulkRow) -> _Packed:
    if isinstance(row, Prepared):
        return (*row[:-1], *(row.token or (None, None, None)))
    if isinstance(row, Submission):
        return (row,)
    return (isinstance(row, InvalidPayloadError), row.text, row.details)


def _unpack(packed: Future[list[_Packed]], done: Future[list[BulkRow]]) -> None:
    try:
        rows = packed.result()
    except BaseException as error:  # noqa: BLE001  whatever ended the worker, nobody may wait on
        done.set_exception(
            error if isinstance(error, LedgerError) else PreparationError(cause=type(error).__name__)
        )
        return
    done.set_result([_row_of(row) for row in rows])


def _row_of(packed: _Packed) -> BulkRow:
    if len(packed) == _SUBMITTED:
        submission: Submission = packed[0]
        return submission
    if len(packed) == _REFUSED:
        invalid, text, details = packed
        return (InvalidPayloadError if invalid else MalformedError)(text, **details)
    *columns, key, line, body = packed
    return Prepared._make((*columns, None if key is None else WriteToken(key, line, body)))
