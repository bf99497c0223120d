"""Calls to a running service over HTTP. The key comes from a file or standard input, never an argument."""

from __future__ import annotations

import http.client
import json
import os
import stat
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from ledger_service import errors
from ledger_service.client.problems import named_error
from ledger_service.client.transport import API_KEY
from ledger_service.config import port_from_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

_TIMEOUT_S: Final = 600
_FIRST_FAILURE: Final = 400
_OPEN_TO_OTHERS: Final = 0o077


def remote_options(command: F) -> F:
    """Give a command `--url` and `--key-file`."""
    url = click.option(
        "--url",
        default=lambda: f"http://127.0.0.1:{port_from_environment()}",
        show_default="http://127.0.0.1:8080, or the port in AUDIT_LEDGER_PORT",
        help="Where the service answers.",
    )
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
        text = sys.stdin.readline() if path == "-" else _read_key_file(Path(path))
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"The key file {path} cannot be read.") from error
    key = text.partition("\n")[0].strip()
    if not API_KEY.fullmatch(key):
        raise errors.UsageError(f"The first line of the key file {path} is not an API key.")
    return key


def required_key(path: str | None) -> str:
    """The API key that `read_key` reads; raises UsageError without a path."""
    key = read_key(path)
    if key is None:
        raise errors.UsageError("This needs an API key: name the file that holds it with --key-file.")
    return key


@contextmanager
def repeatable(key: str) -> Iterator[None]:
    """Should the write in this block fail, say under which key to ask again: it may have happened."""
    try:
        yield
    except errors.LedgerError as error:
        raise type(error)(error.text, **error.details, idempotency_key=key) from error


def _read_key_file(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OPEN_TO_OTHERS:
            click.echo(f"audit-ledger: others may read the key in {path}: chmod 600 {path}", err=True)
        return file.readline()


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

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        """A connection not yet made, and the path under which the service answers."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise errors.UsageError(f"{self.url} is not an http or https address.") from None
        kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}.get(parts.scheme)
        plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if kind is None or not parts.hostname or not plain:
            raise errors.UsageError(f"{self.url} is not an http or https address.")
        return kind(parts.hostname, port, timeout=_TIMEOUT_S), parts.path.rstrip("/")

    def _answer(
        self, method: str, path: str, *, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection, base = self._connection()
        authorization = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request(method, base + path, body=body, headers={**headers, **authorization})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise errors.NotReadyError(
                f"No service answers at {self.url}: {why}. Is `audit-ledger serve` running? --url names another."
            ) from error
        if answer.status >= _FIRST_FAILURE:
            raise named_error(answer.read())
        found: http.client.HTTPResponse = answer
        return found
