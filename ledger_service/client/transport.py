"""One HTTP request, made again while the service is away: only for what may be repeated."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ledger_service.client.problems import named_error
from ledger_service.errors import LedgerError, NotReadyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LARGEST_ANSWER: Final = 64 << 20
_GOOD: Final = range(200, 300)
API_KEY: Final = re.compile(r"[!-~]+", re.ASCII)
# A gateway without its service, a service that is full or starting, and one that asks for patience.
_PASSING: Final = frozenset({429, 502, 503, 504})
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the status is from 200 to 299."""

    status: int
    body: bytes = field(repr=False)


class Transport:
    """Requests to one service. Any number of threads may use one."""

    __slots__ = ("_connection", "_headers", "_host", "_path", "_patience_s", "_pause", "_port", "_timeout_s")

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        patience_s: float,
        timeout_s: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask `url` with the API key, with or without the newline of its file.

        Raises UsageError for what is no http or https address, or no key; it does not repeat the key.
        """
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname:
            raise UsageError(f"{url} is not an http or https address.")
        self._connection = kinds[parts.scheme]
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._headers = _authorization(key)
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._pause = pause

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, after as many tries as `patience_s` allows.

        A write must carry an Idempotency-Key: whether a try whose answer was lost was done is not known, and
        the next one gets its answer. Raises the error that the service names; NotReadyError when it stays
        away.
        """
        deadline = time.monotonic() + self._patience_s
        wait_s = _FIRST_WAIT_S
        while True:
            asked_s = None
            try:
                status, asked_s, data = self._try(method, path, body, headers or {})
                if status in _GOOD:
                    return Answer(status, data)
                error = named_error(data)
                if status not in _PASSING:
                    raise error
                failure: LedgerError = error if type(error) is not LedgerError else NotReadyError()
            except (OSError, http.client.HTTPException) as lost:
                failure = NotReadyError(f"The service does not answer: {type(lost).__name__}.")
            pause_s = wait_s if asked_s is None else asked_s
            if time.monotonic() + pause_s > deadline:
                raise failure
            self._pause(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _try(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, float | None, bytes]:
        """Status, what Retry-After asks for in seconds, and body."""
        connection = self._connection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, self._path + path, body, {**self._headers, **headers})
            answer = connection.getresponse()
            data = answer.read(LARGEST_ANSWER + 1)
            if len(data) > LARGEST_ANSWER:
                raise LedgerError("The service's answer is larger than any should be.")
            asked = answer.getheader("Retry-After") or ""
            return answer.status, min(float(asked), _LONGEST_WAIT_S) if asked.isdecimal() else None, data
        finally:
            connection.close()


def _authorization(key: str | None) -> dict[str, str]:
    """The header of a key. What no header may hold is refused here: http.client would show it in its error."""
    given = (key or "").strip()
    if not given:
        return {}
    if not API_KEY.fullmatch(given):
        raise UsageError("The API key has characters that none has.")
    return {"Authorization": f"Bearer {given}"}
