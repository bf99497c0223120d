"""The Python client against a served ledger: records once, and believes nothing that it cannot check."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from ledger_service.client import LedgerClient
from ledger_service.errors import (
    CommitmentError,
    ConsistencyError,
    CouldNotCheckError,
    EvidenceError,
    IdempotencyConflictError,
    InclusionError,
    InvalidPayloadError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
    SignatureError,
    UsageError,
)
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.receipt import parse_receipt
from tests.support.http_ledger import HttpLedger, purchase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """One ledger for all tests of this module: each uses records of its own."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        yield served


@pytest.fixture(scope="module")
def policy(ledger: HttpLedger) -> bytes:
    """The policy of the log of purchases, as its operator exports it."""
    path = ledger.folder / "policy.txt"
    trust = ledger.folder / "trust.json"
    ledger.command("trust", "export", "shop", "--policy", str(path), "--trust", str(trust))
    return path.read_bytes()


class Meddler:
    """A proxy that changes answers, refuses, or answers nothing at all."""

    def __init__(self, target: str) -> None:
        """Forward to `target`; `change(path, body)` gives the body to answer with."""
        self.change: Callable[[str, bytes], bytes] = lambda _, body: body
        self.failures: list[int] = []
        self.asked: list[str] = []
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.forward(None)

            def do_POST(self) -> None:
                self.forward(self.rfile.read(int(self.headers["Content-Length"])))

            def forward(self, body: bytes | None) -> None:
                meddler.asked.append(self.path)
                failure = meddler.failures.pop(0) if meddler.failures else None
                if failure is not None and failure != 0:
                    self.send_response(failure)
                    self.send_header("Retry-After", "0")
                    self.end_headers()
                    return
                request = Request(target + self.path, body, dict(self.headers), method=self.command)
                with urlopen(request) as answer:
                    data = meddler.change(self.path, answer.read())
                    status = answer.status
                if failure == 0:
                    # The service has done it, and nobody hears of it.
                    self.connection.close()
                    return
                self.send_response(status)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def meddler(ledger: HttpLedger) -> Iterator[Meddler]:
    """Between client and ledger."""
    made = Meddler(ledger.url)
    yield made
    made.close()


def client_of(ledger: HttpLedger, policy: bytes, **changes: Any) -> LedgerClient:
    """A client of the shop."""
    options: dict[str, Any] = {"org": "shop", "key": ledger.key, "policies": [policy], "patience_s": 20}
    options |= changes
    return LedgerClient(options.pop("url", ledger.url), **options)


def test_a_record_goes_all_the_way(ledger: HttpLedger, policy: bytes) -> None:
    """Recorded, repeated, found again, looked up, shown and verified as genuine."""
    client = client_of(ledger, policy)
    made = client.record("purchases", purchase("client"), idempotency_key="client")
    again = client.record("purchases", purchase("client"), idempotency_key="client")
    assert (made.repeated, again.repeated) == (False, True)
    assert (again.id, again.receipt, client.receipt(made.id).index) == (made.id, made.receipt, made.index)
    ledger.wait_stage(made.id, "final")
    (found,) = client.find(ref="client")
    state = client.status(made.id)
    assert found == state
    assert (state.stage, state.status, state.index) == ("final", "active", made.index)
    evidence = client.evidence(made.id, fields=["all"])
    verdict = client.verify(evidence, trust=(ledger.folder / "trust.json").read_bytes())
    assert (verdict.result, verdict.scope) == ("valid", "all fields")


def test_what_points_at_a_record_is_checked(ledger: HttpLedger, policy: bytes) -> None:
    """A refund's receipt is believed only if its entry points at the purchase that was named."""
    client = client_of(ledger, policy)
    made = client.record("purchases", purchase("refunded"), idempotency_key="refunded")
    refund = {
        "purchase": made.id,
        "refund_number": "R-1",
        "amount_minor": 100,
        "currency": "USD",
        "refunded_at": "2026-11-21T09:30:00Z",
        "reason": "returned",
    }
    assert client.record("refunds", refund, idempotency_key="refund").log == made.log
    other = client.record("purchases", purchase("other"), idempotency_key="other")
    receipt = client.record("refunds", refund, idempotency_key="refund").receipt
    parsed = parse_entry(parse_receipt(receipt).entry)
    with pytest.raises(CommitmentError):
        client._check_pointer(parsed, {"purchase": other.id})


def test_the_services_errors_keep_their_names(ledger: HttpLedger, policy: bytes) -> None:
    """A refusal is the error that the service named, with its details; a wrong call is refused here."""
    client = client_of(ledger, policy)
    with pytest.raises(InvalidPayloadError) as refused:
        client.record("purchases", purchase("x", colour="red"), idempotency_key="wrong")
    assert refused.value.details["fields"] == [{"field": "colour", "problem": "is not known"}]
    assert str(refused.value).endswith(" colour is not known")
    client.record("purchases", purchase("conflict"), idempotency_key="conflict")
    with pytest.raises(IdempotencyConflictError):
        client.record("purchases", purchase("other"), idempotency_key="conflict")
    with pytest.raises(NotFoundError):
        client.status("A" * 22)
    with pytest.raises(UsageError):
        client.record("purchases", purchase("x"), idempotency_key="no good")
    with pytest.raises(UsageError):
        client_of(ledger, policy, url="ftp://ledger.example")


def test_a_key_never_stands_in_an_error(ledger: HttpLedger, policy: bytes) -> None:
    """The newline of its file does no harm; what no header may hold is refused without being shown."""
    made = LedgerClient(ledger.url, org="shop", key=f"{ledger.key}\n", policies=[policy])
    assert made.record("purchases", purchase("newline"), idempotency_key="newline").id
    for wrong in (
        f"{ledger.key}\r\nX: y",
        f"{ledger.key} {ledger.key}",
        f"{ledger.key}\x00",
        f"{ledger.key}é",
    ):
        with pytest.raises(UsageError) as refused:
            LedgerClient(ledger.url, org="shop", key=wrong)
        assert ledger.key not in f"{refused.value!r} {refused.value.details}"


@pytest.mark.parametrize("failures", [[503, 502, 429], [0], [0, 503, 0]])
def test_a_write_is_repeated_and_done_once(
    ledger: HttpLedger, policy: bytes, meddler: Meddler, failures: list[int]
) -> None:
    """Refused for a moment or done with its answer lost: asked again under the same key, there is one record."""
    meddler.failures = list(failures)
    name = "repeat-" + "-".join(map(str, failures))
    client = client_of(ledger, policy, url=meddler.url)
    made = client.record("purchases", purchase(name), idempotency_key=name)
    assert len([path for path in meddler.asked if path.endswith("/purchases")]) == len(failures) + 1
    assert [each.id for each in client.find(ref=name)] == [made.id]


def test_patience_ends(ledger: HttpLedger, policy: bytes, meddler: Meddler) -> None:
    """A service that stays away is NotReadyError, and what cannot be repeated is not."""
    meddler.failures = [503] * 1_000
    with pytest.raises(NotReadyError):
        client_of(ledger, policy, url=meddler.url, patience_s=0.5).status("A" * 22)


def swap(member: str, make: Callable[[Any], Any]) -> Callable[[str, bytes], bytes]:
    """A change of one member of every receipt."""

    def change(path: str, body: bytes) -> bytes:
        if not path.endswith("/purchases"):
            return body
        document: Any = decode(body)
        return encode({**document, member: make(document[member])})

    return change


def flip(text: str, at: int) -> str:
    """The text with another letter in one place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_a_lying_service_is_not_believed(ledger: HttpLedger, policy: bytes, meddler: Meddler) -> None:
    """Other contents, another entry, another schema, a broken proof or signature: each is refused by its name."""
    client = client_of(ledger, policy, url=meddler.url)
    other = client.record("purchases", purchase("lie-other"), idempotency_key="lie-other").receipt
    document: Any = decode(other)
    values = {"values": {**document["opening"]["values"], "channel": "shop"}}
    lies: list[tuple[Callable[[str, bytes], bytes], type[LedgerError]]] = [
        (lambda path, body: other if path.endswith("/purchases") else body, CommitmentError),
        (swap("opening", lambda opening: {**opening, **values}), CommitmentError),
        (swap("opening", lambda _: None), CommitmentError),
        (swap("entry", lambda _: document["entry"]), CommitmentError),
        (swap("schema", lambda schema: {**schema, "kind": "refund/v1"}), EvidenceError),
        (swap("proof", lambda proof: proof.replace("index ", "index 1", 1)), InclusionError),
        (
            swap("proof", lambda proof: flip(proof, proof.index("\n", proof.index("\n\u2014 ") + 1) - 10)),
            SignatureError,
        ),
        (lambda _, body: body[:-1], MalformedError),
        (lambda _, body: b"<html>", MalformedError),  # noqa: ARG005  a proxy's page
    ]
    for number, (change, error) in enumerate(lies):
        meddler.change = change
        with pytest.raises(error):
            client.record("purchases", purchase(f"lie-{number}"), idempotency_key=f"lie-{number}")


def test_a_log_without_a_policy_is_not_believed(ledger: HttpLedger, policy: bytes) -> None:
    """What no policy covers is refused, however good its signatures are."""
    for believed in ([], [policy.replace(b"ledger.test", b"other.test")]):
        with pytest.raises(LedgerError) as refused:
            client_of(ledger, policy, policies=believed).record(
                "purchases", purchase("unknown"), idempotency_key="unknown"
            )
        assert isinstance(refused.value, CouldNotCheckError | MalformedError)


def test_a_fork_is_noticed_across_restarts(ledger: HttpLedger, policy: bytes, tmp_path: Path) -> None:
    """The largest checkpoint is remembered in a file; a log that does not continue it is refused."""
    seen = tmp_path / "seen.json"
    client = client_of(ledger, policy, seen=seen)
    first = client.record("purchases", purchase("fork-1"), idempotency_key="fork-1").checkpoint
    second = client.record("purchases", purchase("fork-2"), idempotency_key="fork-2").checkpoint
    assert second.size > first.size
    assert client.record("purchases", purchase("fork-1"), idempotency_key="fork-1").checkpoint == first
    remembered = json.loads(seen.read_bytes())
    (kept,) = remembered["logs"].values()
    assert kept["size"] == second.size
    for change in ({"root": "A" * 43}, {"size": second.size + 1_000_000}):
        seen.write_text(json.dumps({**remembered, "logs": {second.origin: {**kept, **change}}}))
        with pytest.raises(ConsistencyError):
            client_of(ledger, policy, seen=seen).check_log("purchases")
    seen.write_text("nonsense")
    with pytest.raises(MalformedError):
        client_of(ledger, policy, seen=seen)


def test_many_rows_are_recorded_in_order(ledger: HttpLedger, policy: bytes, meddler: Meddler) -> None:
    """Each row has its result, a bad one its error; sent again after a cut nothing is recorded twice."""
    rows = [purchase(f"many-{number}") for number in range(1, 1_503)]
    rows[1_100] = purchase("bad", colour="red")
    meddler.failures = [0, 503]
    client = client_of(ledger, policy, url=meddler.url)
    first = list(client.record_many("purchases", iter(rows), idempotency_key="many"))
    assert [each.row for each in first] == list(range(1, 1_503))
    (bad,) = [each for each in first if each.error is not None]
    assert (bad.row, type(bad.error)) == (1_101, InvalidPayloadError)
    again = list(client.record_many("purchases", iter(rows), idempotency_key="many"))
    assert [each.id for each in again] == [each.id for each in first]
    assert all(each.repeated for each in again if each.error is None)
    assert client.receipt(str(first[700].id)).id == first[700].id
