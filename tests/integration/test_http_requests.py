"""Requests that are wrong, too large, doubled or somebody else's, and streams of rows."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.support.http_ledger import HttpLedger, Reply, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module, with a second organization and a key that only reads."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        served.command("org", "create", "rival", "--name", "The Rival")
        yield served


@pytest.fixture(scope="module")
def rival(ledger: HttpLedger) -> str:
    """A key of the other organization."""
    return ledger.command("key", "create", "rival").stdout.strip()


@pytest.fixture(scope="module")
def reader(ledger: HttpLedger) -> str:
    """A key of the organization that may not write."""
    return ledger.command("key", "create", "shop", "--scope", "records:read").stdout.strip()


def post(ledger: HttpLedger, body: bytes, **headers: str) -> Reply:
    """A write with everything right but what the test changes."""
    named = {"Idempotency_Key": "wrong", "Content_Type": "application/json"} | headers
    return ledger.ask(
        "POST",
        "/v1/orgs/shop/purchases",
        body,
        key=ledger.key,
        **{name: text for name, text in named.items() if text},
    )


def check_problem(reply: Reply, *, status: int, code: str) -> None:
    """An RFC 9457 problem of this status with this code."""
    assert (reply.status, reply.json["status"], reply.json["code"]) == (status, status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "detail"} <= reply.json.keys()


def test_a_write_needs_an_idempotency_key(ledger: HttpLedger) -> None:
    """Without one, or with one that is no visible ASCII, nothing is recorded."""
    body = json.dumps(purchase("no key")).encode()
    for key in ("", " ", "x" * 256, "a b"):
        check_problem(post(ledger, body, Idempotency_Key=key), status=400, code="idempotency_key_missing")


def test_a_payload_that_breaks_the_rules_is_refused_with_reasons(ledger: HttpLedger) -> None:
    """Unknown fields, wrong sums, floats and doubled names are refused, each with the field that is wrong."""
    wrong = [
        purchase("x", colour="red"),
        purchase("x", amount_minor=1),
        purchase("x", buyer=None),
        purchase("x", amount_minor=45.0),
        purchase("x", currency="XXX"),
    ]
    for payload in wrong:
        reply = ledger.record(payload, name="wrong-payload")
        check_problem(reply, status=422, code="invalid_payload")
        assert reply.json["errors"]["fields"]
    for body in (b"", b"[]", b"nonsense", b'{"a":1,"a":2}', b"\xff", b"[" * 100_000):
        check_problem(post(ledger, body), status=422, code="invalid_payload")


def test_values_never_come_back_in_problems(ledger: HttpLedger) -> None:
    """What a payload held does not appear in the answer that refuses it, nor in the server's log."""
    reply = ledger.record(purchase("x", buyer="canary-4711\n", currency="canary-4711"), name="canary")
    assert reply.status == 422
    assert b"canary" not in reply.body
    assert "canary-4711" not in ledger.log()


def test_bodies_are_bounded_and_typed(ledger: HttpLedger) -> None:
    """A body over the limit and a body of another type are refused before they are read."""
    check_problem(post(ledger, b" " * 300_000), status=413, code="body_too_large")
    body = json.dumps(purchase("x")).encode()
    check_problem(post(ledger, body, Content_Type="text/plain"), status=415, code="unsupported_media_type")
    check_problem(post(ledger, body, Content_Type=""), status=415, code="unsupported_media_type")


def test_a_doubled_parameter_is_refused(ledger: HttpLedger) -> None:
    """Two readers of one request never see two values, however the name is written."""
    for query in ("at=1&at=2", "at=1&%61t=2"):
        check_problem(ledger.get(f"/v1/logs?{query}"), status=400, code="duplicate_parameter")


def test_paths_and_methods_that_do_not_exist(ledger: HttpLedger) -> None:
    """An unknown path is 404, a wrong method 405 with the right ones, and no method can be smuggled in."""
    check_problem(ledger.get("/v2/anything"), status=404, code="not_found")
    refused = ledger.ask("DELETE", "/v1/logs")
    check_problem(refused, status=405, code="method_not_allowed")
    assert "GET" in refused.headers["Allow"]
    smuggled = ledger.ask("GET", "/v1/logs", X_HTTP_Method_Override="DELETE")
    assert smuggled.status == 200


def test_keys_that_are_no_good_are_refused_alike(ledger: HttpLedger) -> None:
    """No key, a wrong one and one of another form get the same 401."""
    body = purchase("x")
    replies = [
        ledger.record(body, name="x", key=key) for key in ("nonsense", "alk_" + "0" * 16 + "_" + "A" * 43)
    ]
    replies.append(ledger.ask("POST", "/v1/orgs/shop/purchases", b"{}"))
    replies.append(ledger.ask("POST", "/v1/orgs/shop/purchases", b"{}", Authorization="Basic YTpi"))
    for reply in replies:
        check_problem(reply, status=401, code="unauthenticated")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert len({reply.body for reply in replies}) == 1


def test_a_key_does_only_what_it_may(ledger: HttpLedger, reader: str) -> None:
    """A key without the scope is refused with 403 in its own organization."""
    check_problem(ledger.record(purchase("x"), name="x", key=reader), status=403, code="scope_missing")


def test_a_revoked_key_stops_working(ledger: HttpLedger) -> None:
    """Within seconds after `key revoke`, a running service refuses the key."""
    key = ledger.command("key", "create", "shop").stdout.strip()
    record = ledger.record(purchase("revoked"), name="revoked", key=key).record
    assert ledger.get(f"/v1/records/{record}/receipt", key=key).status == 200
    ledger.command("key", "revoke", key.split("_")[1])
    until(
        lambda: True if ledger.get(f"/v1/records/{record}/receipt", key=key).status == 401 else None,
        timeout_s=5,
    )


def test_another_tenant_sees_what_nobody_sees(ledger: HttpLedger, rival: str) -> None:
    """Another's record and one that does not exist give the same answer, byte for byte.

    So do organizations.
    """
    record = ledger.record(purchase("tenant"), name="tenant").record
    nobody = "A" * 22
    for path in ("receipt", "payload", "evidence?fields=all"):
        foreign = ledger.get(f"/v1/records/{record}/{path}", key=rival)
        missing = ledger.get(f"/v1/records/{nobody}/{path}", key=rival)
        check_problem(foreign, status=404, code="not_found")
        assert (foreign.status, foreign.body) == (missing.status, missing.body)
        assert foreign.headers.keys() == missing.headers.keys()
    for path in ("", "-", "x" * 500, "%00", "..%2f"):
        assert ledger.get(f"/v1/records/{path}", key=rival).status == 404
    foreign = ledger.record(purchase("x"), name="x", key=rival)
    missing = ledger.record(purchase("x"), name="x", org="nobody", key=rival)
    assert foreign.body == missing.body
    check_problem(foreign, status=404, code="not_found")


def test_the_same_idempotency_key_belongs_to_each_tenant(ledger: HttpLedger, rival: str) -> None:
    """Two organizations may use the same key for different records."""
    ours = ledger.record(purchase("ours"), name="shared")
    theirs = ledger.record(purchase("theirs"), name="shared", org="rival", key=rival)
    assert (ours.status, theirs.status) == (201, 201)
    assert ours.record != theirs.record


def test_every_answer_carries_the_headers_of_safety(ledger: HttpLedger) -> None:
    """Nothing may be sniffed, framed or kept, and no cookie is ever set."""
    for reply in (ledger.get("/healthz"), ledger.get("/nothing"), ledger.get("/openapi.json")):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["Cache-Control"] == "no-store"
        assert len(reply.headers["X-Request-Id"]) == 16
        assert "Set-Cookie" not in reply.headers


def test_the_log_is_one_line_of_json_for_each_event(ledger: HttpLedger) -> None:
    """Nothing that a request brings in ends a line or paints the operator's terminal."""
    ledger.get("/v1/%0aforged%1b[31m%e2%80%ae")
    ledger.ask("POST", "/v1/verify", b"{}", Content_Type="application/json")
    lines = ledger.log().splitlines()
    events = [json.loads(line) for line in lines if not line.startswith(("audit-ledger serves", "20"))]
    asked = [event for event in events if event["event"] == "request"]
    assert any("forged" in event["path"] for event in asked)
    assert all({"id", "method", "status", "took_ms", "timestamp"} <= event.keys() for event in asked)
    assert "\x1b" not in ledger.log()


def rows(count: int, *, name: str) -> list[bytes]:
    """Valid rows."""
    return [json.dumps(purchase(f"{name}-{number}")).encode() for number in range(count)]


def test_a_stream_answers_every_row_in_order(ledger: HttpLedger) -> None:
    """Good rows are recorded, bad ones are told why, and each has its line number."""
    stream = rows(3, name="mixed")
    stream[1:1] = [
        b"nonsense",
        b"",
        json.dumps(purchase("x", amount_minor=1)).encode(),
        b'"' + b"x" * 300_000 + b'"',
    ]
    lines = ledger.bulk(stream, name="mixed")
    assert [line["row"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert [line["status"] for line in lines] == [201, 422, 422, 422, 413, 201, 201]
    assert {line["stage"] for line in lines if line["status"] == 201} == {"published"}
    assert all(line["code"] for line in lines if line["status"] > 400)
    assert ledger.get(f"/v1/records/{lines[0]['id']}").json["index"] == lines[0]["index"]


def test_a_stream_sent_again_records_nothing_twice(ledger: HttpLedger) -> None:
    """Rows that were recorded get their first answer again; rows behind them are recorded."""
    first = ledger.bulk(rows(5, name="resume"), name="resume")
    again = ledger.bulk(rows(8, name="resume"), name="resume")
    assert [line["status"] for line in again] == [200] * 5 + [201] * 3
    assert [line["id"] for line in again[:5]] == [line["id"] for line in first]
    changed = [*rows(4, name="resume"), *rows(1, name="changed")]
    assert ledger.bulk(changed, name="resume")[4]["code"] == "idempotency_conflict"


def test_a_row_may_carry_its_own_idempotency_key(ledger: HttpLedger) -> None:
    """A row with a key of its own is the same record wherever in whichever stream it stands, or alone."""
    own = json.dumps({**purchase("own"), "idempotency_key": "own-1"}).encode()
    (first,) = ledger.bulk([own], name="own-a")
    second = ledger.bulk([*rows(1, name="own"), own], name="own-b")
    assert (second[1]["status"], second[1]["id"]) == (200, first["id"])
    alone = ledger.record(purchase("own"), name="own-1")
    assert (alone.status, alone.record) == (200, first["id"])
    bad = json.dumps({**purchase("own"), "idempotency_key": 7}).encode()
    assert ledger.bulk([bad], name="own-c")[0]["status"] == 422


def test_a_client_that_sends_before_it_reads_is_served(ledger: HttpLedger) -> None:
    """Results that nobody reads yet never keep the rows from going in."""
    # http.client reads nothing before it has sent everything; the answer is larger than all buffers between.
    body = b"\n".join([b"nonsense"] * 100_000)
    reply = ledger.ask(
        "POST",
        "/v1/orgs/shop/purchases/bulk",
        body,
        key=ledger.key,
        Idempotency_Key="half-duplex",
        Content_Type="application/x-ndjson",
    )
    assert reply.status == 200
    assert reply.body.count(b"invalid_payload") == 100_000


def test_a_stream_needs_its_type_and_key(ledger: HttpLedger) -> None:
    """A stream of another type, or without an idempotency key, is refused as a whole."""
    path = "/v1/orgs/shop/purchases/bulk"
    wrong = ledger.ask(
        "POST", path, b"{}", key=ledger.key, Idempotency_Key="x", Content_Type="application/json"
    )
    check_problem(wrong, status=415, code="unsupported_media_type")
    keyless = ledger.ask("POST", path, b"{}", key=ledger.key, Content_Type="application/x-ndjson")
    check_problem(keyless, status=400, code="idempotency_key_missing")


def bulk(ledger: HttpLedger, body: bytes, *, name: str, query: str = "", **headers: str) -> Reply:
    """A stream of rows as the test writes it."""
    named = {"Content_Type": "application/x-ndjson"} | headers
    path = f"/v1/orgs/shop/purchases/bulk{query}"
    return ledger.ask("POST", path, body, key=ledger.key, Idempotency_Key=name, **named)


def test_a_csv_is_recorded_like_lines(ledger: HttpLedger) -> None:
    """A row of CSV is the same record as its JSON, under the same key and number; results may be CSV too."""
    items = ("items.0.sku", "items.0.quantity", "items.0.amount_minor")
    header = ",".join(("order_number", "buyer", "paid_at", "channel", "currency", "amount_minor", *items))
    record = '7,customer-1,2026-11-20T14:03:07Z,web,USD,20,"a\nb",2,20'
    body = f"{header}\r\n{record.replace(chr(10), '-')}\r\nnonsense\r\n{record}\r\n".encode()
    first = bulk(ledger, body, name="csv", Content_Type="text/csv")
    lines = [json.loads(line) for line in first.body.splitlines()]
    assert [line["status"] for line in lines] == [201, 422, 422]
    assert "cells" in lines[1]["errors"]["fields"][0]["problem"]
    assert lines[2]["errors"]["fields"][0]["field"] == "items[0].sku"
    item = {"sku": "a-b", "quantity": 2, "amount_minor": 20}
    same = purchase(7, buyer="customer-1", items=[item], amount_minor=20, adjustment_minor=None)
    again = bulk(ledger, json.dumps(same).encode(), name="csv", Accept="text/csv")
    assert again.headers["Content-Type"].startswith("text/csv")
    shown, told = again.body.decode().splitlines()
    assert dict(zip(shown.split(","), told.split(","), strict=True))["id"] == lines[0]["id"]
    for broken, code in ((b"a,a\r\n", "malformed"), (b'buyer\r\n"open', "malformed")):
        (line,) = bulk(ledger, broken, name="broken", Content_Type="text/csv").body.splitlines()
        assert (json.loads(line)["row"], json.loads(line)["code"]) == (1, code)


def test_a_dry_run_says_everything_and_stores_nothing(ledger: HttpLedger) -> None:
    """Each row is told what would become of it; no record, no key and no entry is made."""
    bulk(ledger, b"\n".join(rows(2, name="dry")), name="dry")
    size = ledger.get("/v1/logs/shop/purchases").json["size"]
    with sqlite3.connect(f"file:{ledger.data / 'ledger.db'}?mode=ro", uri=True) as db:
        keys = db.execute("SELECT count(*) FROM vault_keys").fetchone()
        new = json.dumps(purchase("new", buyer="nobody-yet")).encode()
        body = b"\n".join([*rows(1, name="dry"), *rows(1, name="other"), b"{", new])
        told = [
            json.loads(line)
            for line in bulk(ledger, body, name="dry", query="?dry_run=true").body.splitlines()
        ]
        assert [line["status"] for line in told] == [200, 422, 422, 201]
        assert [line.get("code") for line in told] == [None, "idempotency_conflict", "invalid_payload", None]
        assert db.execute("SELECT count(*) FROM vault_keys").fetchone() == keys
    assert ledger.get("/v1/logs/shop/purchases").json["size"] == size
    check_problem(bulk(ledger, b"", name="dry", query="?dry_run=1"), status=400, code="bad_request")


def test_a_stream_has_a_greatest_number_of_rows(ledger: HttpLedger) -> None:
    """The rows up to the limit are answered; one last line says why the others are not."""
    reply = bulk(ledger, b"{\n" * 100_002, name="many", query="?dry_run=true")
    lines = reply.body.splitlines()
    assert len(lines) == 100_001
    last = json.loads(lines[-1])
    assert (last["row"], last["status"], last["code"]) == (100_001, 413, "too_many_rows")


def test_the_command_records_a_file(ledger: HttpLedger) -> None:
    """`record --from` sends a file, `--dry-run` only checks it, and a second run changes nothing."""
    source = ledger.folder / "rows.ndjson"
    source.write_bytes(b"\n".join(rows(4, name="file")) + b"\n")
    key_file = ledger.folder / "shop.key"
    key_file.write_text(ledger.key + "\n", encoding="ascii")
    common = ("record", "shop", "--from", str(source), "--url", ledger.url)
    assert "4 of 4 rows would be recorded" in ledger.command(*common, "--dry-run").stdout
    assert "4 of 4 rows recorded" in ledger.command(*common, "--key-file", str(key_file)).stdout
    again = ledger.command(*common, "--key-file", "-", "--json", stdin=ledger.key + "\n")
    assert [json.loads(line)["status"] for line in again.stdout.splitlines()] == [200] * 4
    record = json.loads(again.stdout.splitlines()[0])["id"]
    shown = ledger.command(
        "proof", record, "--url", ledger.url, "--fields", "all", "--key-file", str(key_file)
    )
    assert json.loads(shown.stdout)["v"] == "audit-ledger/evidence/v1"
    found = ledger.command(
        "find", "shop", "--url", ledger.url, "--ref", "file-0", "--key-file", str(key_file), "--json"
    )
    assert [each["id"] for each in json.loads(found.stdout)] == [record]
    source.write_bytes(b"nonsense\n")
    assert "1 refused" in ledger.command(*common, "--key-file", str(key_file), expect=1).stdout
    (refused,) = (ledger.folder / "rows.ndjson.errors.ndjson").read_bytes().splitlines()
    assert (json.loads(refused)["line"], json.loads(refused)["code"]) == (1, "invalid_payload")
    assert "1 refused" in ledger.command(*common, "--dry-run", expect=1).stdout
    missing = ledger.command("proof", "A" * 22, "--url", ledger.url, expect=1)
    assert "[not_found]" in missing.stderr
