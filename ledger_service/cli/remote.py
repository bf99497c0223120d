"""Calls to a running service over HTTP. The key comes from a file or standard input, never an argument."""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from ledger_service import errors
from ledger_service.client.problems import named_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_TIMEOUT_S: Final = 600
_FIRST_FAILURE: Final = 400


def remote_options(command: F) -> F:
    """Give a command `--url` and `--key-file`."""
    url = click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the service answers.")
    key = click.option(
        "--key-file",
        type=click.Path(dir_okay=False, allow_dash=True),
        help="File with the API key; - reads it from standard input.",
    )
    return url(key(command))


def read_key(path: str | None) -> str | None:
    """The API key in a file's first line, or from standard input for `-`; None without a path."""
    if path is None:
        return None
    try:
        text = sys.stdin.readline() if path == "-" else Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"The key file {path} cannot be read.") from error
    return text.strip()


@dataclass(frozen=True, slots=True)
class Remote:
    """One service. Methods raise the error that the service named, or NotReadyError when it is not there."""

    url: str
    key: str | None = field(default=None, repr=False)

    def get(self, path: str) -> bytes:
        """The body of a GET."""
        with self._answer("GET", path, body=None, headers={}) as answer:
            return answer.read()

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of a POST."""
        with self._answer("POST", path, body=body, headers=headers) as answer:
            return answer.status, answer.read()

    def stream(self, path: str, lines: Iterable[bytes], *, headers: Mapping[str, str]) -> Iterator[Any]:
        """The JSON lines that a streamed POST answers with."""
        with self._answer("POST", path, body=lines, headers=headers) as answer:
            for line in answer:
                yield json.loads(line)

    def _answer(
        self, method: str, path: str, *, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        parts = urlsplit(self.url)
        kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}.get(parts.scheme)
        if kind is None or not parts.hostname:
            raise errors.UsageError(f"{self.url} is not an http or https address.")
        connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        authorization = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request(
                method, parts.path.rstrip("/") + path, body=body, headers={**headers, **authorization}
            )
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise errors.NotReadyError(f"No service answers at {self.url}: {error}") from error
        if answer.status >= _FIRST_FAILURE:
            raise named_error(answer.read())
        found: http.client.HTTPResponse = answer
        return found
