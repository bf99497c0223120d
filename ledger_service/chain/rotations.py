"""What contracts have yet to learn: how many logs have keys that their contract does not obey yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ledger_service.chain.tables import chain_logs
from ledger_service.log.tables import logs

if TYPE_CHECKING:
    from sqlalchemy import Connection


def count_lagging_keys(conn: Connection) -> int:
    """Return how many logs have newer keys than the newest contract that knows them."""
    known = chain_logs.alias("known")
    newest = select(func.max(known.c.contract)).where(known.c.log == logs.c.id).scalar_subquery()
    wanted = (
        select(func.count())
        .select_from(chain_logs)
        .join(logs, logs.c.id == chain_logs.c.log)
        .where(chain_logs.c.contract == newest, chain_logs.c.era < logs.c.era)
    )
    return int(conn.execute(wanted).scalar_one())
