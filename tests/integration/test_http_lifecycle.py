"""Starting, stopping, dying and coming back: what was acknowledged stays, and what is unsure is never signed."""

from __future__ import annotations

import http.client
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[HttpLedger]:
    """A ledger of this test's own, serving."""
    with HttpLedger(tmp_path) as served:
        yield served


def audit(ledger: HttpLedger) -> None:
    """The auditor finds nothing."""
    assert json.loads(ledger.command("audit", "--with-chain", "--json").stdout)["clean"] is True


def test_a_clean_stop_and_a_crash_keep_everything(ledger: HttpLedger) -> None:
    """SIGTERM ends it with 0, SIGKILL at once; after either the receipts are the same bytes."""
    first = ledger.record(purchase("first"), name="first")
    assert ledger.stop() == 0
    ledger.start()
    second = ledger.record(purchase("second"), name="second")
    ledger.kill()
    ledger.start()
    for reply, name in ((first, "first"), (second, "second")):
        assert ledger.get(f"/v1/records/{reply.record}/receipt", key=ledger.key).body == reply.body
        assert ledger.record(purchase(name), name=name).body == reply.body
        assert ledger.wait_stage(reply.record, "final") == "final"
    ledger.command("doctor")
    audit(ledger)


def test_an_unknown_outcome_ends_the_service_and_is_settled_by_asking_again(ledger: HttpLedger) -> None:
    """When a commit fails in a way that may have happened, nobody gets a 2xx, and serve ends with 1."""
    ledger.stop()
    ledger.start(FAILPOINTS="records.accept=fail-done")
    unsure = ledger.record(purchase("unsure"), name="unsure")
    assert (unsure.status, unsure.json["code"]) == (503, "outcome_unknown")
    assert ledger.wait() == 1
    ledger.start()
    settled = ledger.record(purchase("unsure"), name="unsure")
    assert settled.status == 200
    audit(ledger)


def test_a_killed_worker_comes_back_by_itself(ledger: HttpLedger) -> None:
    """Gunicorn starts another worker, which finishes what the killed one had accepted."""
    ledger.stop()
    ledger.start(FAILPOINTS="log.assign=kill-after")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ledger.record(purchase("killed"), name="killed")
    ledger.wait_ready()
    assert ledger.record(purchase("killed"), name="killed").status == 200
    audit(ledger)


def test_a_database_restored_from_an_older_copy_must_not_sign(ledger: HttpLedger) -> None:
    """It answers reads, refuses every write, and says why; the newer database signs again."""
    kept = ledger.record(purchase("kept"), name="kept").record
    ledger.stop()
    older, newer = ledger.folder / "older.db", ledger.folder / "newer.db"
    shutil.copy(ledger.data / "ledger.db", older)
    ledger.start()
    lost = ledger.record(purchase("lost"), name="lost").record
    ledger.wait_stage(lost, "final")
    ledger.stop()
    shutil.copy(ledger.data / "ledger.db", newer)
    for guard in (True, False):
        if not guard:
            (ledger.data / "guard.json").unlink()
        shutil.copy(older, ledger.data / "ledger.db")
        ledger.start(ready=False)
        refused = ledger.wait_reason("rollback_detected")
        assert refused.status == 503
        write = ledger.record(purchase("more"), name="more")
        assert (write.status, write.json["code"]) == (503, "rollback_detected")
        assert ledger.get(f"/v1/records/{kept}/evidence").status == 200
        assert ledger.get(f"/v1/records/{lost}").status == 404
        ledger.stop()
    shutil.copy(newer, ledger.data / "ledger.db")
    ledger.start()
    assert ledger.record(purchase("more"), name="more").status == 201


def test_writing_does_not_wait_for_a_chain_that_is_down(tmp_path: Path) -> None:
    """With no node at the chain's address, purchases are published and proven, and readiness says what is amiss."""
    payer = tmp_path / "payer.key"
    payer.touch(mode=0o600)
    payer.write_text("11" * 32 + "\n", encoding="ascii")
    with HttpLedger(tmp_path, CHAIN_URL="http://127.0.0.1:9", CHAIN_PRIVATE_KEY_FILE=str(payer)) as ledger:
        recorded = ledger.record(purchase("no chain"), name="no-chain")
        assert recorded.status == 201
        assert ledger.get(f"/v1/records/{recorded.record}").json["stage"] == "published"
        assert "chain_unavailable" in ledger.wait_note("chain_unavailable").json["notes"][0]
        verdict = ledger.ask(
            "POST",
            "/v1/verify",
            json.dumps({"record": recorded.record}).encode(),
            Content_Type="application/json",
        ).json
        assert verdict["steps"][5]["outcome"] == "could not check"
        ledger.stop()
        ledger.start()
        assert ledger.record(purchase("still no chain"), name="still-no-chain").status == 201


def test_a_stop_ends_every_process(ledger: HttpLedger) -> None:
    """After SIGTERM nothing of it runs any more: server, workers that prepare rows, chain."""
    rows = [json.dumps(purchase(f"row-{number}")).encode() for number in range(10)]
    assert {line["status"] for line in ledger.bulk(rows, name="rows")} == {201}
    mark = f"AUDIT_LEDGER_DATA_DIR={ledger.data}".encode()

    def running() -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    assert len(running()) >= 4
    assert ledger.stop() == 0
    until(lambda: True if not running() else None, timeout_s=20)


def test_a_bound_of_nothing_gives_signed_acceptances(ledger: HttpLedger) -> None:
    """Past the bound the answer is 202 with a promise that holds: the record is in the log soon after."""
    ledger.stop()
    ledger.start(SEQUENCE_BOUND_S="0")
    reply = ledger.record(purchase("promise"), name="promise")
    assert reply.status == 202
    assert reply.json["stage"] == "accepted"
    assert reply.json["acceptance"].startswith(
        "audit-ledger/acceptance/v1\nledger.test/logs/shop/purchases\n"
    )
    ledger.wait_stage(reply.record, "published", "anchored", "final")
    again = ledger.record(purchase("promise"), name="promise")
    assert (again.status, again.record) == (200, reply.record)


def test_serve_without_an_installation_says_what_to_do(tmp_path: Path) -> None:
    """Nothing is made by accident: `serve` refuses and names `init`."""
    ledger = HttpLedger(tmp_path)
    refused = ledger.command("serve", expect=64)
    assert "audit-ledger init" in refused.stderr
    assert not ledger.data.exists()
