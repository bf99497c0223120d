"""Organizations: the tenants. Their name is part of their logs' origins, so it never changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from ledger_service.accounts.tables import account_events, organizations
from ledger_service.errors import BadNameError, NotFoundError, OrganizationExistsError
from ledger_service.storage.metadata import from_instant, to_instant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

_SLUG: Final = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,62}", re.ASCII)
_LONGEST_SLUG: Final = 63
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Organization:
    """One tenant. `slug` stands in URLs and origins; `name` is what people read."""

    id: int
    slug: str
    name: str
    created: datetime


def check_slug(slug: str) -> str:
    """The slug, if it is 1 to 63 lower-case letters, digits and single inner hyphens; else BadNameError."""
    if len(slug) > _LONGEST_SLUG or not _SLUG.fullmatch(slug):
        raise BadNameError
    return slug


def check_name(name: str) -> str:
    """The name, if it is one printable line of at most 200 characters; else BadNameError."""
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadNameError("The name must be one printable line of 1 to 200 characters.")
    return name


class Organizations:
    """The organizations of this installation."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        """Keep them in `database`, dated by `clock`."""
        self._database = database
        self._clock = clock

    def create(self, slug: str, *, name: str) -> Organization:
        """Add an organization, durable on return; raises OrganizationExistsError or BadNameError."""
        now = self._clock.now().replace(microsecond=0)
        values = {"slug": check_slug(slug), "name": check_name(name), "created": to_instant(now)}
        try:
            with self._database.write("accounts.write") as conn:
                key = conn.execute(
                    insert(organizations).values(values).returning(organizations.c.id)
                ).scalar_one()
                event = {
                    "at": values["created"],
                    "org": key,
                    "action": "organization created",
                    "subject": slug,
                }
                conn.execute(insert(account_events).values(event))
        except IntegrityError as error:
            raise OrganizationExistsError(organization=slug) from error
        return Organization(id=key, slug=slug, name=name, created=now)

    def find(self, slug: str) -> Organization:
        """The organization of this slug; raises NotFoundError."""
        with self._database.look() as conn:
            row = conn.execute(select(organizations).where(organizations.c.slug == slug)).first()
        if row is None:
            raise NotFoundError
        return _organization(row)

    def all(self) -> tuple[Organization, ...]:
        """Every organization, oldest first."""
        with self._database.look() as conn:
            rows = conn.execute(select(organizations).order_by(organizations.c.id)).all()
        return tuple(_organization(row) for row in rows)


def _organization(row: Row[Any]) -> Organization:
    return Organization(id=row.id, slug=row.slug, name=row.name, created=from_instant(row.created))
