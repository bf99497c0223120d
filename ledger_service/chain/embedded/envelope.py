"""The envelope of JSON-RPC 2.0: one request or a batch, answered in JSON, every mistake with its number.

https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from ledger_service.errors import LedgerError, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INTERNAL_ERROR: Final = -32603
MAX_BATCH: Final = 256
MAX_DEPTH: Final = 16

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

_log = logging.getLogger(__name__)


def answer_body(body: bytes, answer: Callable[[str, Sequence[object]], Any]) -> bytes | None:
    """Return the response to a request's bytes, or None when none is due: notifications only.

    `answer` gets the method and its parameters and returns what becomes the result, or raises RpcError.
    """
    try:
        _refuse_deep(body)
        request = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except ValueError:
        return _encode(_failure(None, RpcError(PARSE_ERROR, "parse error")))
    if not isinstance(request, list):
        single = _answer_one(request, answer)
        return None if single is None else _encode(single)
    if not request or len(request) > MAX_BATCH:
        words = "empty batch" if not request else f"batch too large: at most {MAX_BATCH} requests"
        return _encode(_failure(None, RpcError(INVALID_REQUEST, words)))
    answers = [each for each in (_answer_one(item, answer) for item in request) if each is not None]
    return _encode(answers) if answers else None


def _answer_one(request: object, answer: Callable[[str, Sequence[object]], Any]) -> dict[str, Any] | None:
    if not isinstance(request, dict):
        return _failure(None, RpcError(INVALID_REQUEST, "invalid request"))
    number = request.get("id")
    if not (
        number is None
        or isinstance(number, str)
        or (isinstance(number, int) and not isinstance(number, bool))
    ):
        return _failure(None, RpcError(INVALID_REQUEST, "invalid id"))
    try:
        result = _run(request, answer)
    except RpcError as error:
        # Without an id nobody waits for the answer, unless the request is not one at all.
        silent = "id" not in request and error.number != INVALID_REQUEST
        return None if silent else _failure(number, error)
    return None if "id" not in request else {"jsonrpc": "2.0", "id": number, "result": result}


def _run(request: dict[str, Any], answer: Callable[[str, Sequence[object]], Any]) -> Any:
    method, given = request.get("method"), request.get("params", [])
    if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, "invalid request")
    if not isinstance(given, list):
        raise RpcError(-32602, "non-array args")
    try:
        return answer(method, given)
    except RpcError:
        raise
    except LedgerError as error:
        _log.exception("%s failed", method)
        raise RpcError(INTERNAL_ERROR, f"internal error: {error.code}") from error
    except Exception as error:
        # One request must not end the connection of all others in a batch, whatever py-evm makes of it.
        _log.exception("%s failed", method)
        raise RpcError(INTERNAL_ERROR, f"internal error: {type(error).__name__}") from error


def _failure(number: object, error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.number, "message": error.text}
    if error.data is not None:
        body["data"] = "0x" + error.data.hex()
    return {"jsonrpc": "2.0", "id": number, "error": body}


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _refuse_deep(body: bytes) -> None:
    # py-evm and py_ecc raise Python's recursion limit so far that the JSON parser would overflow the C stack and end
    # the process. So the depth is counted before parsing.
    depth = 0
    for token in _TOKEN.finditer(body):
        first = token[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
