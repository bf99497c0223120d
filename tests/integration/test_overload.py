"""Too much at once, and parts that are down: what is refused was never accepted, and reading goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.http_ledger import Reply

CLIENTS = 24
EACH = 12
# A verdict waits a second for a chain that hangs; the rest is patience with a machine that has much to do.
PROMPT_S = 10.0


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """A ledger that takes 200 writes a minute from a key, two at a time, and waits briefly for anything."""
    folder = tmp_path_factory.mktemp("ledger")
    with HttpLedger(
        folder, LIMIT_WRITES="200", QUEUE_RECORDS="2", SEQUENCE_BOUND_S="0.2", DATABASE_WAIT_S="0.3"
    ) as served:
        yield served


def fresh_key(ledger: HttpLedger) -> str:
    """A key with all its budget."""
    return ledger.command("key", "create", "shop").stdout.strip()


def recorded(ledger: HttpLedger) -> dict[str, str]:
    """Every purchase of the shop: its id, by the number that its writer gave it."""
    page = ledger.get("/v1/orgs/shop/records?kind=purchase/v1&limit=1000", key=ledger.key).json
    assert page["cursor"] is None
    numbers = {}
    for found in page["records"]:
        payload = ledger.get(f"/v1/records/{found['id']}/payload", key=ledger.key).json
        numbers[payload["order_number"]] = found["id"]
    return numbers


def wait_all_published(ledger: HttpLedger) -> None:
    """Return once nothing is on its way any more."""

    def done() -> bool | None:
        page = ledger.get("/v1/orgs/shop/records?limit=1000", key=ledger.key).json
        return all(each["index"] is not None for each in page["records"]) or None

    until(done)


def check_reads(ledger: HttpLedger, record: str) -> None:
    """State, receipt, evidence, checkpoint, tiles and a verdict are there, and promptly."""
    began = time.monotonic()
    evidence = ledger.get(f"/v1/records/{record}/evidence")
    replies = [
        evidence,
        ledger.get(f"/v1/records/{record}"),
        ledger.get(f"/v1/records/{record}/receipt", key=ledger.key),
        ledger.get("/logs/shop/purchases/checkpoint"),
        ledger.get("/logs/shop/purchases/tile/0/000.p/1"),
        ledger.get("/v1/logs/shop/purchases/consistency?from=1&to=2"),
    ]
    assert [reply.status for reply in replies] == [200] * len(replies)
    for question in (evidence.body, json.dumps({"record": record}).encode()):
        verdict = ledger.ask("POST", "/v1/verify", question, Content_Type="application/json")
        assert (verdict.status, verdict.json["result"]) == (200, "valid")
    assert time.monotonic() - began < PROMPT_S


def test_what_is_refused_was_never_accepted(ledger: HttpLedger) -> None:
    """Under a storm each write gets a 2xx or a 429 or 503; just those with a 2xx are in the log afterwards."""
    replies: dict[str, Reply] = {}

    def write(client: int) -> None:
        for number in range(EACH):
            name = f"storm-{client}-{number}"
            replies[name] = ledger.record(purchase(name), name=name)

    threads = [threading.Thread(target=write, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == CLIENTS * EACH
    refused = {name: reply for name, reply in replies.items() if reply.status not in {201, 202}}
    codes = {(reply.status, reply.json["code"]) for reply in refused.values()}
    assert codes == {(429, "rate_limited"), (503, "overloaded")}
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused.values())
    wait_all_published(ledger)
    accepted = {name: reply.record for name, reply in replies.items() if name not in refused}
    assert recorded(ledger) == accepted
    assert ledger.get("/v1/logs/shop/purchases").json["size"] == 1 + len(accepted)
    # Sent again when there is room, a refused write is a new one.
    again = ledger.record(purchase("again"), name=next(iter(refused)), key=fresh_key(ledger))
    assert again.status in {201, 202}


@contextmanager
def locked(ledger: HttpLedger) -> Iterator[None]:
    """The database as long as somebody else writes in it."""
    with closing(sqlite3.connect(ledger.data / "ledger.db", isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_takes_nothing_refuses_before_it_accepts(ledger: HttpLedger) -> None:
    """While nothing can be stored, writes are 503 and leave nothing; reads, proofs and verdicts go on."""
    key = fresh_key(ledger)
    kept = ledger.record(purchase("kept"), name="kept", key=key).record
    ledger.wait_stage(kept, "published", "anchored", "final")
    before = set(recorded(ledger))
    with locked(ledger):
        for number in range(3):
            reply = ledger.record(purchase(f"busy-{number}"), name=f"busy-{number}", key=key)
            assert (reply.status, reply.json["code"]) == (503, "storage_busy")
        check_reads(ledger, kept)
        assert ledger.get("/healthz").status == 200
    assert set(recorded(ledger)) == before
    assert ledger.record(purchase("busy-0"), name="busy-0", key=key).status in {201, 202}


def test_reading_goes_on_while_nothing_is_sequenced(ledger: HttpLedger) -> None:
    """With a sequencer that must not sign, writes are accepted with a promise, kept later; reads go on."""
    key = fresh_key(ledger)
    kept = ledger.record(purchase("seen"), name="seen", key=key).record
    ledger.wait_stage(kept, "published", "anchored", "final")
    wait_all_published(ledger)
    set_signed_time(ledger, ahead_s=3_600)
    promised = ledger.record(purchase("promised"), name="promised", key=key)
    assert promised.status == 202
    assert promised.json["acceptance"]
    assert ledger.get(f"/v1/records/{promised.record}").json["stage"] == "accepted"
    check_reads(ledger, kept)
    set_signed_time(ledger, ahead_s=-3_600)
    ledger.wait_stage(promised.record, "published", "anchored", "final")


def set_signed_time(ledger: HttpLedger, *, ahead_s: int) -> None:
    """Let the head of the purchases say another time than it was signed at."""
    with closing(sqlite3.connect(ledger.data / "ledger.db", timeout=20)) as other:
        other.execute(
            "UPDATE log_heads SET timestamp = timestamp + ? WHERE log_id ="
            " (SELECT id FROM logs WHERE collection = 'purchases')",
            (ahead_s,),
        )
        other.commit()


def test_reading_goes_on_while_the_chain_hangs(ledger: HttpLedger) -> None:
    """A chain that takes questions and answers none holds up neither writes nor reads nor verdicts."""
    key = fresh_key(ledger)
    kept = ledger.record(purchase("anchored"), name="anchored", key=key).record
    assert ledger.wait_stage(kept, "final") == "final"
    assert until(lambda: ledger.get("/healthz/deep").status == 200 or None)
    chain = chain_process(ledger)
    os.kill(chain, signal.SIGSTOP)
    try:
        written = ledger.record(purchase("meanwhile"), name="meanwhile", key=key)
        assert written.status in {201, 202}
        check_reads(ledger, kept)
        asked = json.dumps({"record": kept}).encode()
        began = time.monotonic()
        for _ in range(20):
            verdict = ledger.ask("POST", "/v1/verify", asked, Content_Type="application/json").json
            assert (verdict["result"], verdict["steps"][5]["outcome"]) == ("valid", "could not check")
        assert time.monotonic() - began < PROMPT_S
    finally:
        os.kill(chain, signal.SIGCONT)
    assert ledger.wait_stage(written.record, "final") == "final"


def chain_process(ledger: HttpLedger) -> int:
    """The process of the embedded chain."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == ledger.pid and b"chain" in words:
            return int(path.parent.name)
    raise AssertionError("there is no chain")
