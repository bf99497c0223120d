"""The outbox: events are stored before anything is sent, and what became of each attempt after it.

An endpoint is told things in order and at one pace: while its oldest event cannot be delivered, the later
ones wait, and all of them together cost one attempt each time. An event that is too old when an attempt
fails is given up, so that an endpoint that is gone for good is not owed more and more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger_service.errors import KeyUnavailableError, LedgerError, SealError
from ledger_service.storage.metadata import to_instant
from ledger_service.webhooks.finality import find_news, format_event
from ledger_service.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_marks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Row

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database
    from ledger_service.webhooks.endpoints import Endpoints
    from ledger_service.webhooks.finality import News

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"

BACKOFF: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
)
"""Waits after the first failed attempt in a row, the second, and so on; the last one is repeated."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
KEPT_FOR: Final = timedelta(days=30)
# While an attempt runs nobody else makes one. A process that died in the middle is waited for this long.
_CLAIMED_FOR: Final = timedelta(seconds=60)
_NAME_BYTES: Final = 16
_PAGE: Final = 100
_GOOD: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An event that is to be sent now, claimed for whoever holds this. `secret` may be why there is none."""

    delivery: int
    endpoint: int
    name: str
    url: str
    body: bytes = field(repr=False)
    secret: bytes | LedgerError = field(repr=False)
    claim: int
    failures: int


class Outbox:
    """Events on their way. Several processes may use one database: each event is claimed before it is sent."""

    def __init__(
        self, database: Database, endpoints: Endpoints, *, clock: Clock, entropy: Callable[[int], bytes]
    ) -> None:
        """Keep it in `database`."""
        self._database = database
        self._endpoints = endpoints
        self._clock = clock
        self._entropy = entropy

    def collect(self) -> int:
        """Store an event for everything that became final and was not told yet; returns how many."""
        stored = 0
        while True:
            with self._database.read() as conn:
                news = find_news(conn, limit=_PAGE)
            if not news:
                return stored
            try:
                with self._database.write("webhooks.collect") as conn:
                    made = sum(self._store(conn, each) for each in news)
            except IntegrityError:
                # Another process has just stored one of them, or an endpoint was removed. Look again.
                continue
            stored += made

    def claim(self, *, busy: Collection[int], most: int) -> tuple[Attempt, ...]:
        """Take the oldest pending event of at most `most` endpoints that are due and not in `busy`.

        The claim is durable before anything is sent, so that a crash in the middle leads to another attempt.
        """
        if most <= 0:
            return ()
        now = to_instant(self._clock.now())
        pending = webhook_deliveries.alias("pending")
        oldest = (
            select(func.min(pending.c.id))
            .where(pending.c.endpoint == webhook_endpoints.c.id, pending.c.state == PENDING)
            .correlate(webhook_endpoints)
            .scalar_subquery()
        )
        wanted = (
            select(
                webhook_endpoints,
                webhook_deliveries.c.id.label("delivery"),
                webhook_deliveries.c.name.label("event"),
                webhook_deliveries.c.body,
            )
            .select_from(webhook_endpoints)
            .join(webhook_deliveries, webhook_deliveries.c.id == oldest)
            .where(webhook_endpoints.c.due <= now, webhook_endpoints.c.id.not_in(busy))
            .order_by(webhook_endpoints.c.due)
            .limit(most)
        )
        with self._database.read() as conn:
            rows = conn.execute(wanted).all()
        if not rows:
            return ()
        until = to_instant(self._clock.now() + _CLAIMED_FOR)
        claimed = []
        with self._database.write("webhooks.claim") as conn:
            for row in rows:
                unclaimed = and_(webhook_endpoints.c.id == row.id, webhook_endpoints.c.due == row.due)
                if conn.execute(update(webhook_endpoints).where(unclaimed).values(due=until)).rowcount:
                    claimed.append(self._attempt(conn, row, until))
        return tuple(claimed)

    def settle(self, attempt: Attempt, *, status: int | None, problem: str | None) -> str:
        """Store what became of an attempt: a status from 200 to 299 is delivered. Returns the event's state."""
        now = self._clock.now()
        delivered = status is not None and status in _GOOD
        given_up = to_instant(now - GIVEN_UP_AFTER)
        if delivered:
            failures, due = 0, to_instant(now)
        else:
            failures = attempt.failures + 1
            due = to_instant(now + BACKOFF[min(failures, len(BACKOFF)) - 1])
        table, row = webhook_deliveries, webhook_deliveries.c.id == attempt.delivery
        told = {
            "attempts": table.c.attempts + 1,
            "attempted": to_instant(now.replace(microsecond=0)),
            "status": status,
            "problem": None if delivered else problem or "The receiver did not take the event.",
        }
        with self._database.write("webhooks.settle") as conn:
            conn.execute(update(table).where(row).values(**told))
            if delivered:
                conn.execute(update(table).where(row).values(state=DELIVERED))
            else:
                late = (table.c.endpoint == attempt.endpoint) & (table.c.created <= given_up)
                conn.execute(update(table).where(late, table.c.state == PENDING).values(state=DEAD))
            # If the claim ran out and somebody else has it now, the pace is theirs to set.
            mine = and_(webhook_endpoints.c.id == attempt.endpoint, webhook_endpoints.c.due == attempt.claim)
            conn.execute(update(webhook_endpoints).where(mine).values(failures=failures, due=due))
            state: str | None = conn.execute(select(table.c.state).where(row)).scalar_one_or_none()
        return state or DEAD

    def forget_old(self) -> int:
        """Delete events that were delivered or given up more than KEPT_FOR ago; returns how many."""
        table = webhook_deliveries
        old = (table.c.created <= to_instant(self._clock.now() - KEPT_FOR)) & (table.c.state != PENDING)
        with self._database.read() as conn:
            if conn.execute(select(table.c.id).where(old).limit(1)).first() is None:
                return 0
        with self._database.write("webhooks.forget") as conn:
            return int(conn.execute(delete(table).where(old)).rowcount)

    def _attempt(self, conn: Connection, row: Row[Any], claim: int) -> Attempt:
        secret: bytes | LedgerError
        try:
            secret = self._endpoints.secret_of(conn, row)
        except (KeyUnavailableError, SealError) as error:
            # One organization without its key must not hold up the others.
            secret = error
        body = bytes(row.body)
        return Attempt(row.delivery, row.id, row.event, row.url, body, secret, claim, row.failures)

    def _store(self, conn: Connection, news: News) -> int:
        """Move the mark from what was read to the new size, and store the event if nobody else did."""
        marks = webhook_marks
        if news.marked:
            mine = and_(marks.c.endpoint == news.endpoint, marks.c.log == news.log, marks.c.size == news.told)
            if not conn.execute(update(marks).where(mine).values(size=news.size)).rowcount:
                return 0
        else:
            conn.execute(insert(marks).values(endpoint=news.endpoint, log=news.log, size=news.size))
        now = self._clock.now().replace(microsecond=0)
        values = {
            "name": f"msg_{self._entropy(_NAME_BYTES).hex()}",
            "endpoint": news.endpoint,
            "log": news.log,
            "size": news.size,
            "body": format_event(conn, news, now=now),
            "created": to_instant(now),
            "state": PENDING,
            "attempts": 0,
        }
        conn.execute(insert(webhook_deliveries).values(values))
        return 1
