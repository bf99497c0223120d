"""One attempt to deliver: a POST over a connection to an address that was checked.

Written on sockets because whoever asks a library for a URL leaves to it what is resolved when, which proxy
the environment names, and whether a redirect is followed. Here one deadline bounds everything, and of the
answer only the status is read.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ledger_service.errors import DeliveryError
from ledger_service.webhooks.destinations import resolve_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.webhooks.destinations import Address, Destination, Reach, Resolver

ATTEMPT_S: Final = 15.0
LARGEST_HEAD: Final = 16_384
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_INTERIM: Final = range(100, 200)


class Sender:
    """Delivers events. Any number of threads may use one."""

    __slots__ = ("_limit_s", "_reach", "_resolve", "_tls")

    def __init__(
        self,
        reach: Reach,
        *,
        resolve: Resolver = resolve_host,
        tls: ssl.SSLContext | None = None,
        limit_s: float = ATTEMPT_S,
    ) -> None:
        """Send where `reach` allows, for at most `limit_s` from the resolved name to the status."""
        self._reach = reach
        self._resolve = resolve
        self._tls = tls
        self._limit_s = limit_s

    def send(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> int:
        """POST `body` and return the status, whatever it is.

        Raises WebhookUrlError, and DeliveryError with a reason that holds nothing of what the receiver said.
        """
        destination = self._reach.parse_url(url)
        # The settings may have become stricter since the URL was registered: both are checked each time.
        addresses = self._reach.find_addresses(destination, self._resolve)
        deadline = time.monotonic() + self._limit_s
        request = _format_request(destination, body, headers)
        with self._connect(destination, addresses, deadline) as connection:
            try:
                connection.settimeout(_left(deadline))
                connection.sendall(request)
                return _read_status(connection, deadline)
            except TimeoutError:
                raise DeliveryError("The receiver took too long.") from None
            except OSError:
                raise DeliveryError("The connection broke.") from None

    def _connect(
        self, destination: Destination, addresses: tuple[Address, ...], deadline: float
    ) -> socket.socket:
        """A connection to the first address that takes one, and no other than these."""
        failure = DeliveryError("No connection could be made.")
        for address in addresses:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  the IP version
            raw = socket.socket(family, socket.SOCK_STREAM)
            try:
                raw.settimeout(_left(deadline))
                raw.connect((str(address), destination.port))
                if destination.scheme == "http":
                    return raw
                raw.settimeout(_left(deadline))
                return self._trusting().wrap_socket(raw, server_hostname=destination.host)
            except ssl.SSLError:
                failure = DeliveryError("The TLS handshake failed.")
            except TimeoutError:
                failure = DeliveryError("The receiver took too long.")
            except OSError:
                failure = DeliveryError("No connection could be made.")
            raw.close()
        raise failure

    def _trusting(self) -> ssl.SSLContext:
        """The context that trusts what this machine trusts; most commands never need it, and it takes 20 ms."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _format_request(destination: Destination, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"POST {destination.target} HTTP/1.1",
        f"Host: {destination.authority}",
        "User-Agent: audit-ledger",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Accept: */*",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _read_status(connection: socket.socket, deadline: float) -> int:
    """The status of the final answer; interim ones (1xx) are passed over, and no body is read."""
    data = b""
    taken = 0
    while True:
        end = _HEAD_END.search(data)
        if end is None:
            # Counted for all heads together, so that interim answers cannot go on for ever.
            if taken > LARGEST_HEAD:
                raise DeliveryError("The receiver's answer has too large a head.")
            connection.settimeout(_left(deadline))
            piece = connection.recv(4_096)
            if not piece:
                raise DeliveryError("The receiver did not answer in HTTP.")
            data += piece
            taken += len(piece)
            continue
        found = _STATUS.match(data)
        if found is None:
            raise DeliveryError("The receiver did not answer in HTTP.")
        status = int(found[1])
        if status not in _INTERIM:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            return status
        data = data[end.end() :]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
