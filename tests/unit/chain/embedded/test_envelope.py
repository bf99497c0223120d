"""JSON-RPC 2.0's envelope, case by case as the specification has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.embedded.envelope import MAX_BATCH, answer_body
from ledger_service.errors import ChainFileError, RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence


def echo(method: str, given: Sequence[object]) -> Any:
    """A server with four methods."""
    if method == "echo":
        return list(given)
    if method == "revert":
        raise RpcError(3, "execution reverted", data=b"\x01\x02")
    if method == "broken":
        raise ZeroDivisionError
    if method == "damaged":
        raise ChainFileError
    raise RpcError(-32601, f"the method {method} does not exist/is not available")


def ask(body: object) -> Any:
    """The parsed response to a body, None when there is none."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = answer_body(raw, echo)
    return None if answer is None else json.loads(answer)


def request(method: str = "echo", **fields: Any) -> dict[str, Any]:
    """A request, with fields changed; a field of None is left out."""
    whole = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [1]} | fields
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize("number", [1, 0, -7, "text", ""])
def test_the_id_comes_back(number: object) -> None:
    """A result carries the request's id, whatever kind it is."""
    assert ask(request(id=number)) == {"jsonrpc": "2.0", "id": number, "result": [1]}


def test_parameters_may_be_left_out() -> None:
    """A request without params has none."""
    assert ask(request(params=None))["result"] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"echo"}', b"[" * 200_000, b'{"a":NaN}', b"{}{}",
     b"1 2"],
)  # fmt: skip
def test_what_is_not_json_is_a_parse_error(body: bytes) -> None:
    """Broken JSON, doubled keys and endless nesting are -32700 with a null id."""
    answer = ask(body)
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)


@pytest.mark.parametrize(
    "body",
    [1, "echo", True, [], [1], {"id": 1}, {"jsonrpc": "1.0", "id": 1, "method": "echo"}, {"jsonrpc": "2.0", "id": 1},
     {"jsonrpc": "2.0", "id": 1, "method": 5}, {"jsonrpc": "2.0", "id": [1], "method": "echo"},
     {"jsonrpc": "2.0", "id": True, "method": "echo"}, {"jsonrpc": "2.0", "id": 1.5, "method": "echo"}],
)  # fmt: skip
def test_what_is_not_a_request_is_invalid(body: object) -> None:
    """JSON that is not a request is -32600."""
    answer = ask(body)
    assert (answer[0] if isinstance(answer, list) else answer)["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("missing", {"code": -32601, "message": "the method missing does not exist/is not available"}),
        ("revert", {"code": 3, "message": "execution reverted", "data": "0x0102"}),
        ("broken", {"code": -32603, "message": "internal error: ZeroDivisionError"}),
        ("damaged", {"code": -32603, "message": "internal error: bad_chain_file"}),
    ],
)
def test_errors_have_their_numbers(method: str, error: dict[str, Any]) -> None:
    """What a method raises becomes an error object; what it should not have raised becomes -32603."""
    assert ask(request(method)) == {"jsonrpc": "2.0", "id": 1, "error": error}


def test_named_parameters_are_refused() -> None:
    """Ethereum's methods take a list."""
    assert ask(request(params={"a": 1}))["error"]["code"] == -32602


def test_notifications_get_no_answer() -> None:
    """Without an id nothing is answered, neither a result nor an error."""
    assert ask(request(id=None)) is None
    assert ask(request("broken", id=None)) is None
    assert ask([request(id=None), request(id=None)]) is None


def test_batches_are_answered_in_order() -> None:
    """Each request of a batch is answered, notifications aside, whatever became of the others."""
    answers = ask([request(id=1), request("revert", id=2), request(id=None), 7, request(id=3)])
    assert [each["id"] for each in answers] == [1, 2, None, 3]
    assert [("error" in each) for each in answers] == [False, True, True, False]


def test_batches_have_an_end() -> None:
    """A batch that is too large is refused as a whole."""
    assert len(ask([request()] * MAX_BATCH)) == MAX_BATCH
    assert ask([request()] * (MAX_BATCH + 1))["error"]["code"] == -32600
