"""The HTTP calls of the demo, with the keys of its organizations."""

from __future__ import annotations

import functools
import http.client
import json
import signal
from http import HTTPStatus
from typing import NamedTuple

ORG = "cdnow"
SCHOOL = "open-university"

# At once, so that a watcher sees progress.
say = functools.partial(print, flush=True)


def end_on_signals() -> None:
    """End on Ctrl-C and SIGTERM, also where a shell lets what it starts in the background ignore Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


class Answer(NamedTuple):
    """What a call came back with; `record` is the id of the record that it wrote or repeats."""

    status: int
    body: bytes
    record: str


class Calls:
    """Calls to the service at a port of this machine."""

    def __init__(self, port: int) -> None:
        """Know no key yet: `keys` has one for each organization."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.keys: dict[str, str] = {}

    def connection(self) -> http.client.HTTPConnection:
        """A connection that can be used again and again."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def headers(self, org: str = ORG, **more: str) -> dict[str, str]:
        """The key, the media type, and what else is named (`Idempotency_Key` means `Idempotency-Key`)."""
        key = {"Authorization": f"Bearer {self.keys[org]}"} if org in self.keys else {}
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return key | {"Content-Type": "application/json"} | named

    def call(
        self, method: str, path: str, body: bytes | None = None, *, org: str = ORG, **headers: str
    ) -> Answer:
        """One request with the key of `org`, on a connection of its own."""
        connection = self.connection()
        connection.request(method, path, body, self.headers(org, **headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.headers.get("Record-Id", ""))

    def write(self, path: str, body: object, *, org: str, name: str) -> Answer:
        """Write under the idempotency key `name`; the demo ends when that is refused."""
        answer = self.call("POST", path, json.dumps(body).encode(), org=org, Idempotency_Key=name)
        if answer.status != HTTPStatus.CREATED:
            raise SystemExit(f"{path} was answered with {answer.status}: {answer.body.decode()}")
        return answer
