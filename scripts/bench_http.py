"""Single durable writes, each answered with its inclusion proof, from 32 clients over HTTP.

The clients send prepared bytes over plain sockets, so that on two cores the server is measured more than
they are.
"""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from pathlib import Path

from scripts.cdnow import read_purchases
from scripts.demo_calls import ORG
from scripts.demo_service import DemoService

CLIENTS = 32


def single_writes(*, count: int, url: str | None = None) -> list[float]:
    """Write to a new service; returns each call's seconds, sorted, and last the run's seconds per call."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        service = DemoService(Path(folder), database_url=url)
        service.set_up()
        service.start()
        try:
            warm = count // 10
            requests = [
                _request(service, n, row)
                for n, row in zip(range(count + warm), read_purchases(), strict=False)
            ]
            _run(service.port, requests[:warm])
            started = time.perf_counter()
            times = _run(service.port, requests[warm:])
            return [*sorted(times), (time.perf_counter() - started) / count]
        finally:
            service.stop()


def _request(service: DemoService, number: int, row: dict[str, object]) -> bytes:
    body = json.dumps(row).encode()
    length = str(len(body))
    headers = service.headers(Host="localhost", Idempotency_Key=f"bench-{number}", Content_Length=length)
    lines = [
        f"POST /v1/orgs/{ORG}/purchases HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _run(port: int, requests: list[bytes]) -> list[float]:
    times: list[float] = []
    failures: list[str] = []

    def client(share: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for request in share:
                started = time.perf_counter()
                connection.sendall(request)
                status = _read_answer(connection)
                times.append(time.perf_counter() - started)
                if b" 201 " not in status:
                    failures.append(status.decode("latin-1"))
                    return

    threads = [threading.Thread(target=client, args=(requests[n::CLIENTS],)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"a write was not answered with 201: {failures[0]}")
    return times


def _read_answer(connection: socket.socket) -> bytes:
    """Read one answer whole; returns its status line."""
    data = connection.recv(65_536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, rest = data.partition(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = length - len(rest)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return head.split(b"\r\n", 1)[0]


def main() -> None:
    """Measure and print."""
    *times, each = single_writes(count=4_000)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"single writes: {1 / each:,.0f}/s, p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
