"""Endpoints: where an organization wants to hear of its logs. The signing secret is shown once, when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from ledger_service.accounts.tables import account_events
from ledger_service.errors import NotFoundError, WebhookExistsError, WebhookLimitError
from ledger_service.log.tables import logs
from ledger_service.storage.metadata import from_instant, to_instant
from ledger_service.vault.envelope import SALT_BYTES, SealContext, open_, seal
from ledger_service.webhooks.finality import final_sizes
from ledger_service.webhooks.signing import SECRET_BYTES, format_secret
from ledger_service.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_marks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from ledger_service.accounts.organizations import Organization
    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database
    from ledger_service.vault.keyring import Keyring
    from ledger_service.webhooks.destinations import Reach

MOST_ENDPOINTS: Final = 10
"""Of one organization: each is a connection made from inside the operator's network."""
MOST_SHOWN: Final = 100
_NAME_BYTES: Final = 12
_KIND: Final = "webhook-secret/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint without its secret. `failures` counts the attempts in a row that failed."""

    name: str
    url: str
    created: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint: what it tells of, and what became of the last attempt."""

    name: str
    log: str
    size: int
    created: datetime
    state: str
    attempts: int
    attempted: datetime | None
    status: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint and its secret, the only time that anybody is shown it."""

    endpoint: Endpoint
    secret: str = field(repr=False)


class Endpoints:
    """The endpoints of all organizations."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        reach: Reach,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        """Keep them in `database`; `entropy(n)` gives n unpredictable bytes."""
        self._database = database
        self._keyring = keyring
        self._reach = reach
        self._clock = clock
        self._entropy = entropy

    def check_url(self, url: str) -> None:
        """Return when `register` would take the address; raises WebhookUrlError. Nobody is asked."""
        self._reach.parse_url(url)

    def register(self, org: Organization, url: str) -> NewEndpoint:
        """Add an endpoint, durable on return. It hears of what becomes final from now on.

        Raises WebhookUrlError, WebhookExistsError, WebhookLimitError.
        """
        self._reach.parse_url(url)
        secret = self._entropy(SECRET_BYTES)
        name = f"whe_{self._entropy(_NAME_BYTES).hex()}"
        now = to_instant(self._clock.now().replace(microsecond=0))
        try:
            with self._database.write("webhooks.register") as conn:
                owned = select(func.count()).where(webhook_endpoints.c.org_id == org.id)
                if conn.execute(owned).scalar_one() >= MOST_ENDPOINTS:
                    raise WebhookLimitError(most=MOST_ENDPOINTS)
                key = self._keyring.org_key(conn, org.id)
                salt = self._entropy(SALT_BYTES)
                context = _context(org.id, name, key.generation)
                values = {
                    "name": name,
                    "org_id": org.id,
                    "url": url,
                    "salt": salt,
                    "generation": key.generation,
                    "sealed": seal(key.key, secret, salt=salt, context=context, entropy=self._entropy),
                    "created": now,
                    "failures": 0,
                    "due": now,
                }
                stored = insert(webhook_endpoints).values(values).returning(webhook_endpoints)
                row = conn.execute(stored).one()
                _mark_final(conn, row.id, org.id)
                _note(conn, now, org.id, "webhook registered", name)
        except IntegrityError as error:
            raise WebhookExistsError from error
        return NewEndpoint(_endpoint(row), format_secret(secret))

    def remove(self, org: Organization, name: str) -> None:
        """Forget an endpoint, its secret and what it was owed; raises NotFoundError.

        An attempt that is under way ends as it will.
        """
        now = to_instant(self._clock.now().replace(microsecond=0))
        with self._database.write("webhooks.remove") as conn:
            # Locked: an event stored for it meanwhile would stand in the way of its row.
            number = _find(conn, org.id, name, lock=True)
            for table in (webhook_deliveries, webhook_marks):
                conn.execute(delete(table).where(table.c.endpoint == number))
            conn.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == number))
            _note(conn, now, org.id, "webhook removed", name)

    def all(self, org: Organization) -> tuple[Endpoint, ...]:
        """The endpoints of an organization, oldest first."""
        wanted = select(webhook_endpoints).where(webhook_endpoints.c.org_id == org.id)
        with self._database.read() as conn:
            rows = conn.execute(wanted.order_by(webhook_endpoints.c.id)).all()
        return tuple(_endpoint(row) for row in rows)

    def deliveries(self, org: Organization, name: str) -> tuple[Delivery, ...]:
        """The newest events of an endpoint, newest first, at most MOST_SHOWN; raises NotFoundError."""
        with self._database.read() as conn:
            number = _find(conn, org.id, name)
            wanted = (
                select(webhook_deliveries, logs.c.origin)
                .join(logs, logs.c.id == webhook_deliveries.c.log)
                .where(webhook_deliveries.c.endpoint == number)
                .order_by(webhook_deliveries.c.id.desc())
                .limit(MOST_SHOWN)
            )
            return tuple(_delivery(row) for row in conn.execute(wanted))

    def secret_of(self, conn: Connection, row: Row[Any]) -> bytes:
        """The signing secret of an endpoint's row; raises KeyUnavailableError, SealError."""
        key = self._keyring.existing_org_key(conn, row.org_id)
        context = _context(row.org_id, row.name, row.generation)
        return open_(key.key, bytes(row.sealed), salt=bytes(row.salt), context=context)


def _context(org_id: int, name: str, generation: int) -> SealContext:
    # No log has such an origin, so no payload can be put in a secret's place, nor the other way round.
    return SealContext(f"webhooks/{org_id}", name, _KIND, generation, None)


def _mark_final(conn: Connection, endpoint: int, org_id: int) -> None:
    """Count as told what is final now: nobody wants to hear of years at once."""
    known = final_sizes(conn, org_id)
    if known:
        rows = [{"endpoint": endpoint, "log": log, "size": size} for log, size in known.items()]
        conn.execute(insert(webhook_marks), rows)


def _find(conn: Connection, org_id: int, name: str, *, lock: bool = False) -> int:
    wanted = select(webhook_endpoints.c.id).where(
        webhook_endpoints.c.org_id == org_id, webhook_endpoints.c.name == name
    )
    found: int | None = conn.execute(wanted.with_for_update() if lock else wanted).scalar_one_or_none()
    if found is None:
        raise NotFoundError
    return found


def _note(conn: Connection, now: int, org_id: int, action: str, subject: str) -> None:
    event = {"at": now, "org": org_id, "action": action, "subject": subject}
    conn.execute(insert(account_events).values(event))


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(row.name, row.url, from_instant(row.created), row.failures)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        name=row.name,
        log=row.origin,
        size=row.size,
        created=from_instant(row.created),
        state=row.state,
        attempts=row.attempts,
        attempted=None if row.attempted is None else from_instant(row.attempted),
        status=row.status,
        problem=row.problem,
    )
