"""The first part of the demo: records go in, one by one and in bulk."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.agency_files import FILES
from scripts.demo_calls import ORG, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.demo_service import DemoService

CLIENTS = 32
ROWS_PER_REQUEST = 10_000


def record_singly(service: DemoService, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Record each purchase by a call of its own, from 32 clients; returns the ids in the order of the rows."""

    def client(share: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
        connection, ids = service.connection(), []
        for number, row in share:
            headers = service.headers(Idempotency_Key=f"single-{number}")
            connection.request("POST", f"/v1/orgs/{ORG}/purchases", json.dumps(row), headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != HTTPStatus.CREATED:
                raise SystemExit(f"a purchase was answered with {answer.status}: {body.decode()}")
            ids.append(str(answer.headers["Record-Id"]))
        return ids

    numbered, ids = list(enumerate(rows)), [""] * len(rows)
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for first, share in enumerate(pool.map(client, [numbered[n::CLIENTS] for n in range(CLIENTS)])):
            ids[first::CLIENTS] = share
    say(f"  {len(ids):>6,} purchases one by one from {CLIENTS} clients, each answered with its proof: "
        f"{len(ids) / (time.perf_counter() - started):,.0f}/s")  # fmt: skip
    return ids


def record_in_bulk(service: DemoService, rows: Sequence[dict[str, Any]], *, org: str, word: str) -> list[str]:
    """Record the rows through the bulk call, 10,000 in a request; returns the ids in the order of the rows."""
    ids: list[str] = []
    started = time.perf_counter()
    for first in range(0, len(rows), ROWS_PER_REQUEST):
        lines = [json.dumps(row) for row in rows[first : first + ROWS_PER_REQUEST]]
        headers = service.headers(org, Idempotency_Key=f"bulk-{first}", Content_Type="application/x-ndjson")
        connection = service.connection()
        connection.request("POST", f"/v1/orgs/{org}/{word}/bulk", "\n".join(lines), headers)
        for result in map(json.loads, connection.getresponse()):
            if result.get("status") != HTTPStatus.CREATED:
                raise SystemExit(f"a row was refused: {result}")
            ids.append(result["id"])
        if len(ids) < len(rows):
            say(f"  {len(ids):>6,} of {len(rows):,} {word} ...")
    if len(ids) != len(rows):
        raise SystemExit(f"{len(rows):,} rows were sent and {len(ids):,} recorded")
    rate = len(ids) / (time.perf_counter() - started)
    say(f"  {len(ids):>6,} {word} in bulk, validated, sealed, signed and durable: {rate:,.0f}/s")
    return ids


def record_files(service: DemoService) -> dict[str, str]:
    """Record each agency's files by their digests; returns the ids by the files' names."""
    ids = {}
    for file in FILES:
        payload = file.dataset()
        path = f"/v1/orgs/{file.org}/datasets"
        ids[file.name] = service.write(path, payload, org=file.org, name=file.name).record
        say(f"         data set of {file.org}: {file.name}, {payload['size_bytes']:,} bytes, "
            f"{payload['rows']:,} rows; only its digest goes in")  # fmt: skip
    return ids
