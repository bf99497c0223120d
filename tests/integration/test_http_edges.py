"""Requests that no client of ours makes: raw bytes, borrowed headers, and sizes that nobody needs."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = b"Host: ledger.test\r\n"
INNER = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        # The logs' openings are signed soon after the start, and tests count entries.
        until(lambda: all(log["size"] for log in served.get("/v1/logs").json["logs"]) or None)
        yield served


def say(ledger: HttpLedger, data: bytes) -> bytes:
    """Send bytes, end our side, and return whatever comes back until the other side ends."""
    with socket.create_connection(("127.0.0.1", ledger.port), timeout=30) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        except OSError:
            # Refused before all of it was read.
            return b""
        return answer


# Bodies framed in two ways, or in a way that somebody between might read otherwise.
SMUGGLED = {
    "length and chunks": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + INNER,
    "two lengths": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n"
    + INNER,
    "a list of lengths": b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: 0, 40\r\n\r\n" + INNER,
    "a signed length": b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length: +0\r\n\r\n" + INNER,
    "a length with blanks": b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Content-Length : 0\r\n\r\n" + INNER,
    "an unknown coding": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    + INNER,
    "chunks twice": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
    + INNER,
    "a folded header": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"
    + INNER,
    "a chunk's size in another form": b"POST /v1/verify HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"
    + INNER,
    "a nul in a header": b"GET /v1/logs HTTP/1.1\r\n" + HOST + b"A: b\x00c\r\n\r\n" + INNER,
    "a bare return in a header": b"GET /v1/logs HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n" + INNER,
    "a name with a blank": b"GET /v1/logs HTTP/1.1\r\n" + HOST + b"A b: c\r\n\r\n" + INNER,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_second_request_hides_in_the_first(ledger: HttpLedger, name: str) -> None:
    """What could be read in two ways is refused, and what stands behind it is not answered."""
    answer = say(ledger, SMUGGLED[name])
    assert b'"alive"' not in answer
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), answer
    assert answer.count(b"HTTP/1.1 ") <= 1


HUGE = {
    "a long line": b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a long header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 10_000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\n"
    + HOST
    + b"".join(b"A%d: b\r\n" % n for n in range(80))
    + b"\r\n",
    "a line without an end": b"G" * 100_000,
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "no version": b"GET /healthz\r\n\r\n",
    "a version of its own": b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("name", HUGE)
def test_heads_are_bounded(ledger: HttpLedger, name: str) -> None:
    """A head that is too large, or none, is refused before anything of ours sees it; the server goes on."""
    answer = say(ledger, HUGE[name])
    assert b'"alive"' not in answer
    assert answer == b"" or answer.split(b" ", 2)[1][:1] in {b"4", b"5"}
    assert ledger.get("/healthz").status == 200


def test_borrowed_headers_change_nothing(ledger: HttpLedger) -> None:
    """Path, method, scheme, host and request id are what they are, whatever headers a caller adds."""
    claimed = {
        "X_Request_Id": "0123456789abcdef",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "elsewhere.example",
        "X_Forwarded_Prefix": "/elsewhere",
        "X_Original_URL": "/v1/logs",
        "X_Rewrite_URL": "/v1/logs",
        "X_HTTP_Method_Override": "DELETE",
    }
    reply = ledger.ask("GET", "/healthz", None, key=None, **claimed)
    assert (reply.status, reply.json) == (200, {"alive": True})
    assert reply.headers["X-Request-Id"] != claimed["X_Request_Id"]
    assert "Strict-Transport-Security" not in reply.headers
    assert claimed["X_Request_Id"] not in ledger.log()
    for name in (b"SCRIPT_NAME", b"PATH_INFO", b"SCRIPT-NAME", b"PATH-INFO"):
        answer = say(
            ledger, b"GET /healthz HTTP/1.1\r\n" + HOST + name + b": /v1\r\nConnection: close\r\n\r\n"
        )
        assert answer.endswith(b'{"alive":true}') or answer.startswith(b"HTTP/1.1 400 ")


def test_each_request_has_an_id_of_ours(ledger: HttpLedger) -> None:
    """The id in the answer finds the one line of the log, and no two requests share it."""
    ids = [ledger.get("/v1/logs").headers["X-Request-Id"] for _ in range(20)]
    assert len(set(ids)) == 20
    lines = [json.loads(line) for line in ledger.log().splitlines() if '"event":"request"' in line]
    assert sum(line["id"] in ids for line in lines) == 20


BROKEN = {
    "a chunk of no size": b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\nnonsense\r\n',
    "a chunk that breaks off": b"Transfer-Encoding: chunked\r\n\r\nfff\r\n{",
    "fewer bytes than announced": b'Content-Length: 100\r\n\r\n{"a":1}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_breaks_off_is_its_senders_fault(ledger: HttpLedger, name: str) -> None:
    """Alone and in a stream it is a problem 400, nothing is recorded of it, and no defect is logged."""
    size = ledger.get("/v1/logs/shop/purchases").json["size"]
    for path, media in (("purchases", b"application/json"), ("purchases/bulk", b"application/x-ndjson")):
        head = (
            f"POST /v1/orgs/shop/{path} HTTP/1.1\r\nAuthorization: Bearer {ledger.key}\r\n"
            "Idempotency-Key: broken\r\nConnection: close\r\n"
        ).encode()
        answer = say(ledger, head + HOST + b"Content-Type: " + media + b"\r\n" + BROKEN[name])
        assert b'"code":"bad_request"' in answer
        assert b"HTTP/1.1 500" not in answer
    assert ledger.get("/v1/logs/shop/purchases").json["size"] == size
    assert '"event":"defect"' not in ledger.log()


def test_a_row_of_a_cut_upload_is_not_taken_for_a_whole_one(ledger: HttpLedger) -> None:
    """A table whose connection is cut within the last number records the rows before, and not another number."""
    digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    table = (
        f"dataset_number,title,file_sha256,size_bytes\n1,One,{digest},1048576\n2,Two,{digest},104".encode()
    )
    head = (
        f"POST /v1/orgs/shop/datasets/bulk HTTP/1.1\r\nAuthorization: Bearer {ledger.key}\r\n"
        f"Idempotency-Key: cut\r\nContent-Type: text/csv\r\nContent-Length: {len(table) + 4}\r\n"
        "Connection: close\r\n"
    ).encode()
    answer = say(ledger, head + HOST + b"\r\n" + table)
    lines = [json.loads(line) for line in answer.splitlines() if line.startswith(b'{"row"')]
    assert [(line["row"], line["status"]) for line in lines] == [(1, 201), (2, 400)]
    assert lines[1]["code"] == "bad_request"
    assert ledger.get("/v1/logs/shop/datasets").json["size"] == 2


def test_deep_bodies_are_refused_like_every_wrong_one(ledger: HttpLedger) -> None:
    """Nesting of any depth is a problem of the caller's, in each place that reads JSON."""
    for depth in (33, 600, 2_000, 100_000):
        nested = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        reply = ledger.ask(
            "POST",
            "/v1/orgs/shop/purchases",
            nested,
            key=ledger.key,
            Idempotency_Key="deep",
            Content_Type="application/json",
        )
        assert (reply.status, reply.json["code"]) == (422, "invalid_payload")
        (line,) = ledger.bulk([nested], name="deep")
        assert (line["status"], line["code"]) == (422, "invalid_payload")
        verdict = ledger.ask("POST", "/v1/verify", nested, Content_Type="application/json")
        assert (verdict.status, verdict.json["result"]) == (200, "invalid")


def test_a_ledger_with_everything_in_order_is_healthy(ledger: HttpLedger) -> None:
    """With a record that is final, every check of the deep health passes."""
    record = ledger.record(purchase("healthy"), name="healthy").record
    ledger.wait_stage(record, "final")
    with_chain = ledger.get("/healthz/deep")
    while with_chain.status != 200:
        ledger.wait_ready()
        with_chain = ledger.get("/healthz/deep")
    assert {each["outcome"] for each in with_chain.json["checks"]} == {"pass"}
