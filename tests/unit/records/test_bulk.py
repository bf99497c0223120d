"""Preparing lines in bulk, here and in other processes."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ledger_service.errors import InvalidPayloadError, PreparationError
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.proofs.entry import parse_entry
from ledger_service.records.bulk import BulkChunk, BulkPreparer, prepare_chunk, subjects_of
from ledger_service.records.preparation import Prepared
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.small_ledger import SmallLedger

GOOD = orjson.dumps(EXAMPLE_PURCHASE)
LINES = [GOOD, b"{", GOOD, b'{"a":1,"a":1}', orjson.dumps(EXAMPLE_PURCHASE | {"buyer": 7}), GOOD]


def chunk_of(ledger: SmallLedger, lines: list[bytes]) -> BulkChunk:
    """A chunk with the keys that its lines need."""
    with ledger.database.write("records.keys") as conn:
        writer, org, keys = ledger.intake.writer_keys(conn, ledger.log.target, subjects_of(PURCHASE, lines))
    now = ledger.clock.now()
    return BulkChunk(ledger.log.target, PURCHASE, lines, 11, "bulk", now, writer, org, keys)


def shape(rows: list[object]) -> list[str]:
    """The types of prepared rows."""
    return [type(row).__name__ for row in rows]


def test_each_line_is_prepared_or_refused(sqlite_ledger: SmallLedger) -> None:
    """Every line gives a record or its own refusal, in order, and the good ones carry their line's number."""
    rows = prepare_chunk(chunk_of(sqlite_ledger, LINES))
    bad = "InvalidPayloadError"
    assert shape(list(rows)) == ["Prepared", bad, "Prepared", bad, bad, "Prepared"]
    assert [row.token.line for row in rows if isinstance(row, Prepared) and row.token] == [11, 13, 16]


def test_workers_give_the_same(sqlite_ledger: SmallLedger) -> None:
    """Two worker processes give what the same lines give here, apart from what is random."""
    chunk = chunk_of(sqlite_ledger, LINES)
    with BulkPreparer(workers=2) as preparer:
        futures = [preparer.submit(chunk) for _ in range(3)]
        for future in futures:
            rows = future.result(timeout=60)
            here = prepare_chunk(chunk)
            assert shape(list(rows)) == shape(list(here))
            assert [r.details for r in rows if isinstance(r, InvalidPayloadError)] == [
                r.details for r in here if isinstance(r, InvalidPayloadError)
            ]
            for one, two in zip(rows, here, strict=True):
                if isinstance(one, Prepared) and isinstance(two, Prepared):
                    assert (one.token, one.reference, one.key_id) == (two.token, two.reference, two.key_id)
                    assert parse_entry(one.entry).claim.schema == parse_entry(two.entry).claim.schema


def test_prepared_rows_are_accepted(sqlite_ledger: SmallLedger) -> None:
    """What workers prepare is accepted, and replayed when the same request is prepared again."""
    chunk = chunk_of(sqlite_ledger, [GOOD] * 3)
    with BulkPreparer(workers=1) as preparer:
        for expected in ("Accepted", "Replayed"):
            rows = [r for r in preparer.submit(chunk).result(timeout=60) if isinstance(r, Prepared)]
            assert shape(list(sqlite_ledger.intake.accept(rows))) == [expected] * 3


def test_death_of_a_worker_is_told(sqlite_ledger: SmallLedger) -> None:
    """When a worker is killed, whoever waits for it hears of it, and whoever comes next gets a new one."""
    chunk = chunk_of(sqlite_ledger, [GOOD] * 3)
    with BulkPreparer(workers=1) as preparer:
        preparer.submit(chunk).result(timeout=60)
        for pid in preparer.worker_pids():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(PreparationError):
            preparer.submit(chunk).result(timeout=60)
        assert shape(list(preparer.submit(chunk).result(timeout=60))) == ["Prepared"] * 3


def test_row_may_carry_its_own_key(sqlite_ledger: SmallLedger) -> None:
    """A row's own idempotency key stands in place of the request's, in whatever request and line the row comes."""
    own = orjson.dumps(EXAMPLE_PURCHASE | {"idempotency_key": "mine"})
    first = [row for row in prepare_chunk(chunk_of(sqlite_ledger, [GOOD, own])) if isinstance(row, Prepared)]
    again = [row for row in prepare_chunk(chunk_of(sqlite_ledger, [own])) if isinstance(row, Prepared)]
    assert shape(list(sqlite_ledger.intake.accept(first))) == ["Accepted", "Accepted"]
    assert shape(list(sqlite_ledger.intake.accept(again))) == ["Replayed"]
    single = sqlite_ledger.submission("mine")
    assert shape(list(sqlite_ledger.intake.accept([single]))) == ["Replayed"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", 7, None, ["a"]])
def test_row_key_must_be_visible_text(sqlite_ledger: SmallLedger, key: object) -> None:
    """A row's own key that is none is refused by its name."""
    (row,) = prepare_chunk(
        chunk_of(sqlite_ledger, [orjson.dumps(EXAMPLE_PURCHASE | {"idempotency_key": key})])
    )
    assert isinstance(row, InvalidPayloadError)
    listed: Any = row.details["fields"]
    assert [each["field"] for each in listed] == ["idempotency_key"]


def test_workers_end_with_their_process(sqlite_ledger: SmallLedger, tmp_path: Path) -> None:
    """When the process that uses workers is killed, they end as well."""
    chunk = tmp_path / "chunk"
    chunk.write_bytes(pickle.dumps(chunk_of(sqlite_ledger, [GOOD])))
    arguments = [sys.executable, "-m", "tests.support.worker_holder", str(chunk)]
    with ChildProcess.start(arguments, stdout=subprocess.PIPE) as child:
        assert child.popen.stdout is not None
        workers = [int(pid) for pid in child.popen.stdout.readline().split()]
        assert len(workers) == 1
        ends = [os.pidfd_open(pid) for pid in workers]
        # The process alone: killing its whole group would prove nothing.
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout_s=30)
        for end in ends:
            assert select.select([end], [], [], 30)[0], "the worker lives on"
            os.close(end)
