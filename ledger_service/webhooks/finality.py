"""Which sizes of which logs are anchored for good, and what an event says about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import and_, func, select

from ledger_service.chain.tables import anchors
from ledger_service.log.tables import logs
from ledger_service.proofs.canonical import encode_base64url, format_time
from ledger_service.proofs.types import TreeSize
from ledger_service.verification.anchors import FINAL, anchors_at
from ledger_service.webhooks.tables import webhook_endpoints, webhook_marks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

ANCHORED_EVENT: Final = "log.anchored"
_FINAL: Final = (anchors.c.stage == FINAL) & anchors.c.disputed.is_(None)


@dataclass(frozen=True, slots=True)
class News:
    """A size of a log that is final and that an endpoint was not told of; `told` is the size before."""

    endpoint: int
    log: int
    origin: str
    org: str
    told: int
    marked: bool
    size: int


def final_sizes(conn: Connection, org_id: int) -> Mapping[int, int]:
    """For each log of an organization that has one, its largest final size."""
    wanted = (
        select(anchors.c.log, func.max(anchors.c.size).label("size"))
        .join(logs, logs.c.id == anchors.c.log)
        .where(logs.c.org_id == org_id, _FINAL)
        .group_by(anchors.c.log)
    )
    return {row.log: row.size for row in conn.execute(wanted)}


def find_news(conn: Connection, *, limit: int) -> tuple[News, ...]:
    """What endpoints were not told of yet, the smallest size of each log first; one for each log and endpoint."""
    told = func.coalesce(webhook_marks.c.size, 0)
    here = and_(webhook_marks.c.endpoint == webhook_endpoints.c.id, webhook_marks.c.log == logs.c.id)
    wanted = (
        select(
            webhook_endpoints.c.id.label("endpoint"),
            logs.c.id.label("log"),
            logs.c.origin,
            logs.c.org,
            told.label("told"),
            webhook_marks.c.size.is_not(None).label("marked"),
            func.min(anchors.c.size).label("size"),
        )
        .select_from(webhook_endpoints)
        .join(logs, logs.c.org_id == webhook_endpoints.c.org_id)
        .outerjoin(webhook_marks, here)
        .join(anchors, and_(anchors.c.log == logs.c.id, anchors.c.size > told))
        .where(_FINAL)
        .group_by(webhook_endpoints.c.id, logs.c.id, logs.c.origin, logs.c.org, webhook_marks.c.size)
        .order_by(webhook_endpoints.c.id, logs.c.id)
        .limit(limit)
    )
    return tuple(News(**row._mapping) for row in conn.execute(wanted))  # noqa: SLF001  SQLAlchemy's public name


def format_event(conn: Connection, news: News, *, now: datetime) -> bytes:
    """The body of an event: from which entry to which a log is anchored for good, and where.

    It names indexes and no records: whoever may read the records finds them by their place in the log.
    """
    found = anchors_at(conn, news.log, TreeSize(news.size))[0]
    document = {
        "type": ANCHORED_EVENT,
        "timestamp": format_time(now),
        "data": {
            "org": news.org,
            "log": news.origin,
            "first_index": news.told,
            "last_index": news.size - 1,
            "size": news.size,
            "root": encode_base64url(found.root),
            "anchor": {
                "chain_id": found.chain_id,
                "contract": f"0x{found.contract.hex()}",
                "log_id": f"0x{found.log_id.hex()}",
                "time": format_time(found.time),
                "block_number": found.block.number,
                "block_hash": f"0x{found.block.hash.hex()}",
                "tx_hash": f"0x{found.tx_hash.hex()}",
            },
        },
    }
    return orjson.dumps(document)
