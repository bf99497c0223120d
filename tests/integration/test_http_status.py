"""Status as callers and outsiders meet it: changed over HTTP and the command, judged here and offline."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.refunds import EXAMPLE_REFUND
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.evidence import parse_evidence
from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module: each uses records of its own."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        yield served


def post(ledger: HttpLedger, path: str, body: object, *, name: str) -> str:
    """Write something; returns the id of what was recorded."""
    reply = ledger.ask(
        "POST", path, json.dumps(body).encode(), key=ledger.key, Idempotency_Key=name,
        Content_Type="application/json",
    )  # fmt: skip
    assert reply.status == 201, reply.body
    return reply.record


def server_verdict(ledger: HttpLedger, evidence: bytes, query: str = "") -> Any:
    """What the server says about evidence."""
    return ledger.ask("POST", f"/v1/verify{query}", evidence, Content_Type="application/json").json["result"]


def offline_verdict(
    ledger: HttpLedger, evidence: bytes, folder: Path, *, collection: str, expect: int
) -> Any:
    """What the offline verifier says about it."""
    policy, trust, file = folder / "policy.txt", folder / "trust.json", folder / "evidence.json"
    files = ("--policy", str(policy), "--trust", str(trust))
    ledger.command("trust", "export", "shop", "--collection", collection, *files)
    file.write_bytes(evidence)
    return json.loads(ledger.command("verify", str(file), *files, "--json", expect=expect).stdout)["result"]


def change(ledger: HttpLedger, how: str, record: str) -> None:
    """Change a record in one of the ways that there are."""
    if how == "refunded":
        post(ledger, "/v1/orgs/shop/refunds", {**EXAMPLE_REFUND, "purchase": record}, name=f"{how}-{record}")
    elif how == "superseded":
        new = {**EXAMPLE_DATASET, "supersedes": record}
        post(ledger, "/v1/orgs/shop/datasets", new, name=f"{how}-{record}")
    elif how == "corrected":
        body = {"reason": "entered_in_error", "replacement": purchase("right")}
        post(ledger, f"/v1/records/{record}/correction", body, name=f"{how}-{record}")
    else:
        body = {"state": how, "reason": "issuer_decision"}
        post(ledger, f"/v1/records/{record}/status", body, name=f"{how}-{record}")


@pytest.mark.parametrize(
    ("how", "collection", "payload"),
    [
        ("suspended", "completions", EXAMPLE_COMPLETION),
        ("revoked", "completions", EXAMPLE_COMPLETION),
        ("refunded", "purchases", purchase("refunded")),
        ("corrected", "purchases", purchase("wrong")),
        ("superseded", "datasets", EXAMPLE_DATASET),
        ("withdrawn", "datasets", EXAMPLE_DATASET),
    ],
)
def test_each_change_is_seen_by_everybody(
    ledger: HttpLedger, tmp_path: Path, how: str, collection: str, payload: object
) -> None:
    """Before the change the record is genuine, here and offline; after it nowhere, except as of the time before."""
    state = "superseded" if how == "corrected" else how
    record = post(ledger, f"/v1/orgs/shop/{collection}", payload, name=f"{collection}-{how}")
    path = f"/v1/records/{record}/evidence?fields=all"
    before = ledger.get(path, key=ledger.key).body
    assert server_verdict(ledger, before) == "valid"
    assert offline_verdict(ledger, before, tmp_path, collection=collection, expect=0) == "valid"
    status = parse_evidence(before).status
    assert status is not None
    begun = status.current.since
    until(lambda: True if time.time() >= begun.timestamp() + 1 else None)
    change(ledger, how, record)
    after = ledger.get(path, key=ledger.key).body
    assert ledger.get(f"/v1/records/{record}").json["status"] == state
    assert server_verdict(ledger, after) == state
    assert server_verdict(ledger, after, f"?at={format_time(begun)}") == "valid"
    assert offline_verdict(ledger, after, tmp_path, collection=collection, expect=1) == state


def test_the_command_changes_a_status(ledger: HttpLedger, tmp_path: Path) -> None:
    """`status` prints the record that explains the change; a step that the state does not allow fails."""
    key_file = tmp_path / "shop.key"
    key_file.write_text(ledger.key)
    record = post(ledger, "/v1/orgs/shop/completions", EXAMPLE_COMPLETION, name="command")
    remote = ("--url", ledger.url, "--key-file", str(key_file), "--reason", "under_review")
    said = ledger.command("status", record, "suspended", *remote).stdout.strip()
    assert ledger.get(f"/v1/records/{said}").json["kind"] == "status/v1"
    assert ledger.get(f"/v1/records/{record}").json["status"] == "suspended"
    refused = ledger.command("status", record, "suspended", *remote, expect=1)
    assert "[state_conflict]" in refused.stderr
    ledger.command("status", record, "lost", *remote, expect=64)


def test_the_command_revokes_and_says_first_what_it_would_do(ledger: HttpLedger, tmp_path: Path) -> None:
    """A dry run names the step, or that there is none, and changes nothing; `revoke` is final."""
    key_file = tmp_path / "shop.key"
    key_file.write_text(ledger.key)
    record = post(ledger, "/v1/orgs/shop/completions", EXAMPLE_COMPLETION, name="revoke-command")
    asked = ("revoke", record, "--url", ledger.url, "--key-file", str(key_file), "--reason", "integrity")
    assert "from active to revoked" in ledger.command(*asked, "--dry-run").stdout
    assert ledger.get(f"/v1/records/{record}").json["status"] == "active"
    said = ledger.command(*asked).stdout.strip()
    assert ledger.get(f"/v1/records/{said}").json["kind"] == "status/v1"
    assert ledger.get(f"/v1/records/{record}").json["status"] == "revoked"
    assert "[state_conflict]" in ledger.command(*asked, "--dry-run", expect=1).stderr


def test_the_command_notarizes_a_file_once(ledger: HttpLedger, tmp_path: Path) -> None:
    """Sent twice it is one record; its evidence proves the file, and another file is not genuine."""
    key_file, file = tmp_path / "shop.key", tmp_path / "data.csv"
    key_file.write_text(ledger.key)
    file.write_bytes(b"a,b\n1,2\n")
    remote = ("--url", ledger.url, "--key-file", str(key_file))
    first = json.loads(ledger.command("notarize", "shop", str(file), *remote, "--json").stdout)
    again = json.loads(ledger.command("notarize", "shop", str(file), *remote, "--json").stdout)
    assert [each["before"] for each in (*first, *again)] == [False, True]
    record = first[0]["id"]
    assert again[0]["id"] == record
    evidence, policy, trust = (str(tmp_path / name) for name in ("evidence.json", "policy.txt", "trust.json"))
    ledger.command("proof", record, *remote, "--fields", "all", "--out", evidence)
    known = ("--policy", policy, "--trust", trust)
    ledger.command("trust", "export", "shop", "--collection", "datasets", *known)
    assert ledger.command("verify", str(file), evidence, *known).stdout.startswith("Genuine: valid")
    file.write_bytes(b"a,b\n1,3\n")
    assert "Not genuine" in ledger.command("verify", str(file), evidence, *known, expect=1).stdout


def test_the_audit_finds_everything_in_order(ledger: HttpLedger) -> None:
    """After all this the auditor derives the same changes from the entries as are stored."""
    ledger.command("audit")
