"""A purchase's whole path over HTTP: recorded, proven, anchored, shown, verified here and elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.checkpoint import parse_checkpoint
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.merkle import check_consistency, leaf_hash, tree_root
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.policy import check_policy, parse_policy
from ledger_service.proofs.receipt import check_receipt, parse_receipt
from ledger_service.proofs.tile import parse_bundle
from ledger_service.proofs.types import RootHash, TreeSize
from tests.support.http_ledger import HttpLedger, purchase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module: each uses records of its own."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        yield served


def trust_files(ledger: HttpLedger, folder: Path) -> tuple[Path, Path]:
    """Policy and trust file as an operator exports them."""
    policy, trust = folder / "policy.txt", folder / "trust.json"
    ledger.command("trust", "export", "shop", "--policy", str(policy), "--trust", str(trust))
    return policy, trust


def test_a_purchase_comes_back_with_its_proof(ledger: HttpLedger) -> None:
    """201 carries the receipt, which holds to the policy without asking the server anything else."""
    policy = parse_policy(ledger.get("/v1/logs/shop/purchases/policy").body)
    reply = ledger.record(purchase("proof"), name="proof")
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/vnd.audit-ledger.receipt+json"
    entry, verified = check_receipt(parse_receipt(reply.body), policy=policy)
    assert entry.claim.id == reply.record == reply.headers["Record-Id"]
    assert verified.checkpoint.origin == "ledger.test/logs/shop/purchases"


def test_a_record_goes_through_its_stages(ledger: HttpLedger) -> None:
    """A published record becomes anchored and final without anybody asking for it."""
    record = ledger.record(purchase("stages"), name="stages").record
    assert ledger.get(f"/v1/records/{record}").json["stage"] in {"published", "anchored", "final"}
    assert ledger.wait_stage(record, "final") == "final"


def test_a_repeated_write_gets_the_original_answer(ledger: HttpLedger) -> None:
    """The same key and body again: 200 and the same bytes; another body: 422, and the original stays."""
    first = ledger.record(purchase("again"), name="again")
    second = ledger.record(purchase("again"), name="again")
    assert (first.status, second.status) == (201, 200)
    assert second.body == first.body
    other = ledger.record(purchase("again", channel="shop"), name="again")
    assert (other.status, other.json["code"]) == (422, "idempotency_conflict")
    assert ledger.get(f"/v1/records/{first.record}/receipt", key=ledger.key).body == first.body


def test_one_of_many_equal_writes_wins(ledger: HttpLedger) -> None:
    """Thirty-two equal writes at once make one record, and everybody gets the same receipt."""
    with ThreadPoolExecutor(32) as threads:
        replies = list(threads.map(lambda _: ledger.record(purchase("race"), name="race"), range(32)))
    assert sorted(reply.status for reply in replies) == [200] * 31 + [201]
    assert len({reply.body for reply in replies}) == 1


def test_evidence_convinces_a_stranger(ledger: HttpLedger, tmp_path: Path) -> None:
    """The offline verifier, which knows neither server nor network, finds the evidence genuine."""
    record = ledger.record(purchase("stranger"), name="stranger").record
    ledger.wait_stage(record, "final")
    policy, trust = trust_files(ledger, tmp_path)
    evidence = tmp_path / "evidence.json"
    evidence.write_bytes(ledger.get(f"/v1/records/{record}/evidence?fields=all", key=ledger.key).body)
    command = [sys.executable, "-m", "ledger_service.proofs", str(evidence)]
    trusted = ["--policy", str(policy), "--trust", str(trust), "--json"]
    done = subprocess.run([*command, *trusted], capture_output=True, text=True, check=False)
    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["result"], verdict["scope"]) == (0, "valid", "all fields")
    assert verdict["record"]["fields"]["order_number"] == "stranger"
    assert parse_evidence(evidence.read_bytes()).anchors


def test_evidence_verifies_with_the_chain(ledger: HttpLedger, tmp_path: Path) -> None:
    """With a node the anchor is proven now, and the verdict says that the operator runs that chain."""
    record = ledger.record(purchase("node"), name="node").record
    ledger.wait_stage(record, "final")
    policy, trust = trust_files(ledger, tmp_path)
    evidence = tmp_path / "evidence.json"
    evidence.write_bytes(ledger.get(f"/v1/records/{record}/evidence").body)
    node = (ledger.data / "chain.url").read_text(encoding="ascii").strip()
    trusted = ("--policy", str(policy), "--trust", str(trust), "--node", node, "--json")
    verdict = json.loads(ledger.command("verify", str(evidence), *trusted).stdout)
    steps = {step["number"]: step["outcome"] for step in verdict["steps"]}
    assert (steps[2], steps[6]) == ("could not check", "pass")
    assert verdict["interval"]["self_anchored"] is True


def test_a_receipt_verifies_but_says_nothing_about_status(ledger: HttpLedger, tmp_path: Path) -> None:
    """A receipt is checked as far as it goes; without a status the answer is that it cannot tell."""
    policy, trust = trust_files(ledger, tmp_path)
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(ledger.record(purchase("receipt"), name="receipt").body)
    trusted = ("--policy", str(policy), "--trust", str(trust), "--json")
    verdict = json.loads(ledger.command("verify", str(receipt), *trusted, expect=2).stdout)
    outcomes = [step["outcome"] for step in verdict["steps"]]
    assert outcomes[:5] == ["pass"] * 5
    assert outcomes[6] == "could not check"


def test_only_asked_fields_are_disclosed(ledger: HttpLedger) -> None:
    """Evidence shows the fields that its owner asked for; the others are hashes."""
    record = ledger.record(purchase("fields"), name="fields").record
    asked = ledger.get(f"/v1/records/{record}/evidence?fields=currency,amount_minor", key=ledger.key).json
    shown = {item[1]: item[2] for item in asked["fields"] if isinstance(item, list)}
    assert shown == {"amount_minor": 4500, "currency": "USD"}
    assert ledger.get(f"/v1/records/{record}/evidence").json["fields"] is None
    unknown = ledger.get(f"/v1/records/{record}/evidence?fields=colour", key=ledger.key)
    assert (unknown.status, unknown.json["code"]) == (400, "bad_request")
    assert ledger.get(f"/v1/records/{record}/evidence?fields=currency").status == 401


def test_the_payload_comes_back_as_it_was(ledger: HttpLedger) -> None:
    """The owner reads back exactly the fields that were recorded; nobody else reads any."""
    record = ledger.record(purchase("payload"), name="payload").record
    assert ledger.get(f"/v1/records/{record}/payload", key=ledger.key).json == purchase("payload")
    public = ledger.get(f"/v1/records/{record}")
    assert b"customer" not in public.body
    assert b"customer" not in decode_base64url(public.json["entry"])


def verify(ledger: HttpLedger, body: bytes) -> Any:
    """The server's verdict."""
    return ledger.ask("POST", "/v1/verify", body, Content_Type="application/json").json


def test_the_server_judges_evidence_by_the_same_steps(ledger: HttpLedger) -> None:
    """POST /v1/verify gives eight numbered steps for evidence and for the id of a record."""
    record = ledger.record(purchase("judge"), name="judge").record
    ledger.wait_stage(record, "final")
    evidence = ledger.get(f"/v1/records/{record}/evidence").body
    for body in (evidence, json.dumps({"record": record}).encode()):
        verdict = verify(ledger, body)
        assert (verdict["result"], verdict["people"]) == ("valid", "Genuine")
        assert [step["number"] for step in verdict["steps"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    missing = ledger.ask(
        "POST", "/v1/verify", b'{"record":"AAAAAAAAAAAAAAAAAAAAAA"}', Content_Type="application/json"
    )
    assert missing.status == 404


def test_a_changed_byte_is_seen(ledger: HttpLedger) -> None:
    """One digit changed in the entry, the proof or the status makes the evidence not genuine."""
    record = ledger.record(purchase("tamper"), name="tamper").record
    ledger.wait_stage(record, "final")
    evidence = json.loads(ledger.get(f"/v1/records/{record}/evidence").body)
    entry = evidence["entry"]
    changed = [
        {**evidence, "entry": entry[:40] + ("A" if entry[40] != "A" else "B") + entry[41:]},
        {**evidence, "status": {**evidence["status"], "state": "revoked"}},
        {**evidence, "anchors": [{**evidence["anchors"][0], "size": evidence["anchors"][0]["size"] + 1}]},
    ]
    for each in changed:
        assert (
            verify(ledger, json.dumps(each, separators=(",", ":"), sort_keys=True).encode())["result"]
            == "invalid"
        )
    for nonsense in (b"", b"{}", b"garbage", b"[" * 10_000, b'{"v":1,"v":2}'):
        assert verify(ledger, nonsense)["result"] in {"invalid", "unknown"}


class HttpTiles:
    """A tile reader over HTTP, as a monitor has it."""

    def __init__(self, ledger: HttpLedger) -> None:
        """Read from `ledger`."""
        self._ledger = ledger

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """One tile."""
        partial = "" if width == 256 else f".p/{width}"
        reply = self._ledger.get(f"/logs/shop/purchases/tile/{level}/{index:03}{partial}")
        assert reply.status == 200
        assert "immutable" in reply.headers["Cache-Control"]
        return reply.body


def test_tiles_give_the_signed_root(ledger: HttpLedger) -> None:
    """A stranger computes the checkpoint's root from the tiles, and the leaves from the entries."""
    rows = [json.dumps(purchase(f"tile-{number}")).encode() for number in range(300)]
    assert {line["status"] for line in ledger.bulk(rows, name="tiles")} == {201}
    policy = parse_policy(ledger.get("/v1/logs/shop/purchases/policy").body)
    note = ledger.get("/logs/shop/purchases/checkpoint").body
    checkpoint = check_policy(note, policy).checkpoint
    reader = HttpTiles(ledger)
    assert tree_root(reader, checkpoint.size) == checkpoint.root
    entries = parse_bundle(ledger.get("/logs/shop/purchases/tile/entries/000").body)
    assert b"".join(leaf_hash(entry) for entry in entries) == reader.read_tile(0, 0, 256)
    keys = ledger.get("/logs/shop/purchases/vkeys").body.decode().splitlines()
    assert keys[0].split("+")[0] == checkpoint.origin
    assert len(keys) == len(parse_note(note).signatures) == 3


def test_tiles_that_do_not_exist_are_not_found(ledger: HttpLedger) -> None:
    """A tile beyond the checkpoint, a path in another form, and another log are all the same 404."""
    paths = (
        "0/999",
        "0/000.p/0",
        "0/000.p/256",
        "0/0",
        "00/000",
        "64/000",
        "entries/999",
        "0/x000/000",
        "1_0/000",
    )
    replies = [ledger.get(f"/logs/shop/purchases/tile/{path}") for path in paths]
    replies.append(ledger.get("/logs/nobody/purchases/tile/0/000"))
    assert {reply.status for reply in replies} == {404}
    assert len({reply.body for reply in replies}) == 1


def test_consistency_connects_two_sizes(ledger: HttpLedger) -> None:
    """The proof that an older size is the beginning of a newer one checks with the kernel."""
    ledger.record(purchase("consistency"), name="consistency")
    newest = parse_checkpoint(parse_note(ledger.get("/logs/shop/purchases/checkpoint").body).text)
    shown = ledger.get(f"/v1/logs/shop/purchases/consistency?from=1&to={newest.size}").json
    check_consistency(
        first=TreeSize(1),
        second=newest.size,
        first_root=RootHash(decode_base64url(shown["first"]["root"])),
        second_root=newest.root,
        proof=[decode_base64url(step) for step in shown["proof"]],
    )
    bad = ("from=2", "from=2&to=1", "from=1&to=999999999", "from=-1&to=2", "from=01&to=2", "from=1&to=2&to=3")
    assert {ledger.get(f"/v1/logs/shop/purchases/consistency?{query}").status for query in bad} <= {400, 404}


def test_logs_tell_their_keys_and_last_anchor(ledger: HttpLedger) -> None:
    """The list of logs names size, keys, contract and the last anchor of each."""
    record = ledger.record(purchase("logs"), name="logs").record
    ledger.wait_stage(record, "final")
    log, *_ = ledger.get("/v1/logs").json["logs"]
    assert log == ledger.get("/v1/logs/shop/purchases").json
    assert log["anchor"]["size"] <= log["size"]
    assert len(log["vkeys"]) == 3
    assert ledger.get("/v1/logs/nobody/purchases").status == 404
