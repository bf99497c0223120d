"""JSON-RPC over HTTP: one request, one answer, one deadline. Whatever goes wrong becomes an error of ours.

Nothing is tried again here: who calls knows what a repetition would mean.
"""

from __future__ import annotations

import time
from typing import Any, Final, cast

import requests
from urllib3.exceptions import HTTPError
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from ledger_service.errors import ChainRefusedError, ChainUnavailableError

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024


class _BoundedSession(requests.Session):
    """A session whose whole answer has one deadline and one greatest size, however slowly it drips in."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        # Neither a proxy nor a password from the environment may stand between us and the pinned node.
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"

    def post(self, url: str | bytes, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
        deadline = time.monotonic() + self._timeout_s
        options |= {"stream": True, "allow_redirects": False}
        answer = super().post(url, data, json, **options)
        with answer:
            body = bytearray()
            while chunk := answer.raw.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise requests.exceptions.ContentDecodingError("the answer is too long")
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout("the answer took too long")
            # requests offers no public way to hand a response the body that was read from its stream.
            answer._content = bytes(body)  # noqa: SLF001
        return answer


class JsonRpc:
    """One node's JSON-RPC endpoint. Safe to share between threads."""

    __slots__ = ("_provider", "_rest_s", "_resting_until", "url")

    def __init__(self, url: str, *, timeout_s: float = 10.0, rest_s: float = 0.0) -> None:
        """Remember where the node is; nothing is sent yet. `timeout_s` bounds connecting and each answer.

        After a request that was not answered, those of the next `rest_s` fail at once: a node that hangs must
        not keep everybody who would ask it.
        """
        self.url = url
        self._rest_s = rest_s
        self._resting_until = 0.0
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_s},
            session=_BoundedSession(timeout_s),
            exception_retry_configuration=None,
        )

    def ask(self, method: str, *params: object) -> Any:
        """Return the result of one request, as parsed JSON.

        Raises ChainRefusedError with `rpc_code`, `words` and `data` when the node answers with an error
        object, and ChainUnavailableError for anything else that is not a result: no connection, a timeout,
        half an answer. After the latter the request may or may not have had its effect.
        """
        if time.monotonic() < self._resting_until:
            raise ChainUnavailableError("The chain's node did not answer a moment ago.", method=method)
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except (requests.RequestException, HTTPError, Web3Exception, OSError, ValueError) as error:
            self._resting_until = time.monotonic() + self._rest_s
            raise ChainUnavailableError(method=method, cause=type(error).__name__) from error
        if not isinstance(answer, dict):
            raise ChainUnavailableError("The node's answer is not a JSON-RPC answer.", method=method)
        if "error" in answer and answer["error"] is not None:
            raise _refusal(method, answer["error"])
        if "result" not in answer:
            raise ChainUnavailableError("The node's answer has neither a result nor an error.", method=method)
        return answer["result"]


def _refusal(method: str, error: object) -> ChainRefusedError:
    if not isinstance(error, dict):
        return ChainRefusedError(method=method, rpc_code=0, words=str(error)[:300], data=None)
    fields = cast("dict[str, object]", error)
    code = fields.get("code")
    words = str(fields.get("message", ""))[:300]
    return ChainRefusedError(
        f"The chain's node refuses {method}: {words}",
        method=method,
        rpc_code=code if isinstance(code, int) else 0,
        words=words,
        data=fields.get("data"),
    )
