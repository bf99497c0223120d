"""The first half of the demo: purchases go in, one by one and in bulk."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.demo_service import ORG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.demo_service import DemoService

CLIENTS = 32
ROWS_PER_REQUEST = 10_000


def record_singly(service: DemoService, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Record each row by a call of its own, from 32 clients; returns the ids of the records."""

    def client(share: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
        connection, ids = service.connection(), []
        for number, row in share:
            headers = service.headers(Idempotency_Key=f"single-{number}")
            connection.request("POST", f"/v1/orgs/{ORG}/purchases", json.dumps(row), headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != HTTPStatus.CREATED:
                raise SystemExit(f"a purchase was answered with {answer.status}: {body.decode()}")
            ids.append(str(answer.headers["Location"]).rsplit("/", 1)[-1])
        return ids

    numbered = list(enumerate(rows))
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(itertools.chain(*pool.map(client, [numbered[n::CLIENTS] for n in range(CLIENTS)])))


def record_in_bulk(service: DemoService, rows: Sequence[dict[str, Any]]) -> int:
    """Record the rows through the bulk call, 10,000 in a request; returns how many were recorded."""
    recorded = 0
    for first in range(0, len(rows), ROWS_PER_REQUEST):
        lines = [json.dumps(row) for row in rows[first : first + ROWS_PER_REQUEST]]
        headers = service.headers(Idempotency_Key=f"bulk-{first}", Content_Type="application/x-ndjson")
        connection = service.connection()
        connection.request("POST", f"/v1/orgs/{ORG}/purchases/bulk", "\n".join(lines), headers)
        for result in map(json.loads, connection.getresponse()):
            if result.get("status") != HTTPStatus.CREATED:
                raise SystemExit(f"a row was refused: {result}")
            recorded += 1
    return recorded
