"""Runs in a network namespace of its own in which every address of the world is this machine, and listens.

    unshare --user --map-root-user --net python -m tests.support.ssrf_probe

Every payload goes through the product's own parsing, resolving and sending. Whatever connects to anything is
seen, since a listener takes every address. Prints one JSON document.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import ProxyHandler, build_opener

from ledger_service.errors import DeliveryError, WebhookUrlError
from ledger_service.webhooks.destinations import Reach, resolve_host
from ledger_service.webhooks.sender import Sender
from tests.support.ssrf_payloads import (
    HOST,
    INSIDE_V4,
    INSIDE_V6,
    PUBLIC_V4,
    Payload,
    all_payloads,
)
from tests.support.tls import make_server_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

_MARKER: Final = "2606:4700::beef"
PORTS: Final = (22, 25, 80, 443, 6379, 8080, 8443)
_NAIVE: Final = (
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://[::1]/",
)


class Sinks:
    """Listeners on all addresses and some ports, which note what address each connection came to."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        """Listen."""
        self._tls = tls
        self._seen: list[str] = []
        self._changed = threading.Condition()
        for port in PORTS:
            server = socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100
            )
            threading.Thread(target=self._take, args=(server, port), daemon=True).start()

    def _take(self, server: socket.socket, port: int) -> None:
        while True:
            connection, _ = server.accept()
            with self._changed:
                self._seen.append(str(connection.getsockname()[0]).removeprefix("::ffff:"))
                self._changed.notify_all()
            threading.Thread(target=self._answer, args=(connection, port), daemon=True).start()

    def _answer(self, connection: socket.socket, port: int) -> None:
        with suppress(OSError), connection:
            connection.settimeout(5)
            if port == 443:
                connection = self._tls.wrap_socket(connection, server_side=True)
            target = connection.recv(4_096).decode("latin-1").partition(" ")[2].partition(" ")[0]
            status, _, location = target.removeprefix("/redirect/").partition("?to=")
            if location:
                head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                connection.sendall(head.encode("latin-1"))
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            connection.close()

    def take(self) -> list[str]:
        """What was connected to since the last call."""
        # Connections to a port are taken in their order: when a marker was, so was all before it.
        for port in PORTS:
            socket.create_connection((_MARKER, port)).close()
        with self._changed:
            self._changed.wait_for(lambda: self._seen.count(_MARKER) == len(PORTS), timeout=30)
            found, self._seen = self._seen, []
        assert found.count(_MARKER) == len(PORTS)
        return [each for each in found if each != _MARKER]


class Scripted:
    """A resolver that answers what a payload says, and counts."""

    def __init__(self, payload: Payload) -> None:
        """Answer for this payload."""
        self._answers = payload.answers
        self.asked = 0

    def __call__(self, host: str, port: int) -> Iterable[str]:
        """The next answer."""
        self.asked += 1
        if self._answers is None:
            return resolve_host(host, port)
        return self._answers[min(self.asked, len(self._answers)) - 1]


def main() -> int:
    """Try every payload, then show that the listeners see whatever is reached."""
    for command in ("link set lo up", "route add local default dev lo", "-6 route add local ::/0 dev lo"):
        # Debian keeps it where the path of a user who is not root does not look.
        subprocess.run([shutil.which("ip") or "/usr/sbin/ip", *command.split()], check=True)
    # A proxy that the environment names is one more listener.
    os.environ["HTTPS_PROXY"] = os.environ["ALL_PROXY"] = os.environ["HTTP_PROXY"] = "http://10.9.9.9:8080"
    with tempfile.TemporaryDirectory() as folder:
        server, client = make_server_tls(Path(folder), HOST)
        sinks = Sinks(server)
        said = [_try(payload, sinks, client) for payload in all_payloads()]
        document = {"payloads": said, "control": _control(sinks, client)}
    sys.stdout.write(json.dumps(document))
    return 0


def _try(payload: Payload, sinks: Sinks, tls: ssl.SSLContext) -> dict[str, Any]:
    resolver = Scripted(payload)
    try:
        status = Sender(Reach(), resolve=resolver, tls=tls, limit_s=5).send(payload.url, b"{}", headers={})
        outcome = f"status {status}"
    except WebhookUrlError:
        outcome = "URL refused"
    except DeliveryError as error:
        outcome = error.text
    return {
        "family": payload.family,
        "url": payload.url,
        "public": payload.public,
        "outcome": outcome,
        "asked": resolver.asked,
        "reached": sinks.take(),
    }


def _control(sinks: Sinks, tls: ssl.SSLContext) -> dict[str, Any]:
    """What the listeners see of connections that are really made."""
    inside = [each for each in (*INSIDE_V4, *INSIDE_V6) if _reach(each)]
    direct = Counter(sinks.take())
    naive = 0
    opener = build_opener(ProxyHandler({}))
    for url in _NAIVE:
        with suppress(OSError, http.client.HTTPException):
            opener.open(url, timeout=5).close()
        naive += bool(sinks.take())
    followed = _follow(sinks, tls)
    public = Payload("control", f"https://{HOST}/", ((PUBLIC_V4,),))
    return {
        "connected": len(inside),
        "seen": sum(direct.values()),
        "naive clients inside": naive,
        "followed redirects": followed,
        "public": _try(public, sinks, tls),
    }


def _reach(address: str) -> bool:
    with suppress(OSError):
        socket.create_connection((address, 443), timeout=2).close()
        return True
    return False


def _follow(sinks: Sinks, tls: ssl.SSLContext) -> list[str]:
    """Where a client that follows redirects ends up, from the same listener."""
    with (
        socket.create_connection((PUBLIC_V4, 443)) as raw,
        tls.wrap_socket(raw, server_hostname=HOST) as sent,
    ):
        sent.sendall(b"GET /redirect/302?to=http://127.0.0.1/ HTTP/1.1\r\n\r\n")
        location = sent.recv(4_096).decode().partition("Location: ")[2].partition("\r")[0]
    build_opener(ProxyHandler({})).open(location, timeout=5).close()
    return sinks.take()


if __name__ == "__main__":
    sys.exit(main())
