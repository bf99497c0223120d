"""API keys: made once, stored as a hash, compared in constant time, revoked within seconds."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from ledger_service.accounts.key_text import PREFIX_BYTES, SECRET_BYTES, KeyText, format_key, parse_key
from ledger_service.accounts.organizations import Organization, check_name
from ledger_service.accounts.scopes import Scope, format_scopes, parse_scopes
from ledger_service.accounts.tables import account_events, api_keys, organizations
from ledger_service.errors import MalformedError, ScopeMissingError, UnauthenticatedError, UnknownKeyError
from ledger_service.storage.metadata import from_instant, to_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Row, Select

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

# A revoked key works at most this much longer in a process that has just seen it.
REMEMBERED_FOR: Final = timedelta(seconds=2)
_MOST_REMEMBERED: Final = 4096
# What is not the text of a key at all is looked up like this one, so that it takes the same time.
_NOBODY: Final = KeyText(prefix="0" * 16, secret=bytes(SECRET_BYTES))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key without its secret."""

    prefix: str
    org: Organization
    scopes: frozenset[Scope]
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an organization, by one of its keys."""

    org: Organization
    key: str
    scopes: frozenset[Scope]

    def check_scope(self, scope: Scope) -> None:
        """Raise ScopeMissingError unless the key has `scope`."""
        if scope not in self.scopes:
            raise ScopeMissingError(scope=scope.value)


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: ApiKey | None
    secret_sha256: bytes = field(repr=False)
    until: datetime


class ApiKeys:
    """The API keys of this installation."""

    def __init__(self, database: Database, *, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        """Keep them in `database`; `entropy(n)` gives n unpredictable bytes."""
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._remembered: dict[str, _Remembered] = {}

    def issue(
        self, org: Organization, *, scopes: Iterable[Scope], label: str, expires: datetime | None = None
    ) -> str:
        """Make a key and return its text, the only time it exists outside its holder. Durable on return."""
        text = KeyText(prefix=self._entropy(PREFIX_BYTES).hex(), secret=self._entropy(SECRET_BYTES))
        now = to_instant(self._clock.now().replace(microsecond=0))
        values = {
            "prefix": text.prefix,
            "org": org.id,
            "secret_sha256": hashlib.sha256(text.secret).digest(),
            "scopes": format_scopes(scopes),
            "label": check_name(label),
            "created": now,
            "expires": to_instant(expires.replace(microsecond=0)) if expires else None,
        }
        with self._database.write("accounts.write") as conn:
            conn.execute(insert(api_keys).values(values))
            event = {"at": now, "org": org.id, "action": "key created", "subject": text.prefix}
            conn.execute(insert(account_events).values(event))
        return format_key(text)

    def revoke(self, prefix: str) -> ApiKey:
        """Make a key useless, at once here and within two seconds elsewhere; raises UnknownKeyError."""
        now = to_instant(self._clock.now().replace(microsecond=0))
        with self._database.write("accounts.write") as conn:
            row = conn.execute(_select().where(api_keys.c.prefix == prefix)).first()
            if row is None:
                raise UnknownKeyError(prefix=prefix)
            fresh = (api_keys.c.prefix == prefix) & api_keys.c.revoked.is_(None)
            if conn.execute(update(api_keys).where(fresh).values(revoked=now)).rowcount:
                event = {"at": now, "org": row.org, "action": "key revoked", "subject": prefix}
                conn.execute(insert(account_events).values(event))
            row = conn.execute(_select().where(api_keys.c.prefix == prefix)).one()
        self._remembered.pop(prefix, None)
        return _api_key(row)

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, revoked ones too, oldest first."""
        with self._database.look() as conn:
            rows = conn.execute(_select().order_by(api_keys.c.id)).all()
        return tuple(_api_key(row) for row in rows)

    def authenticate(self, text: str) -> Caller:
        """Whose key this is; raises the same UnauthenticatedError for unknown, wrong, expired and revoked."""
        try:
            offered = parse_key(text)
        except MalformedError:
            offered = _NOBODY
        now = self._clock.now()
        found = self._find(offered.prefix, now)
        same = hmac.compare_digest(hashlib.sha256(offered.secret).digest(), found.secret_sha256)
        key = found.key
        if key is None or not same or key.revoked is not None:
            raise UnauthenticatedError
        if key.expires is not None and key.expires <= now:
            raise UnauthenticatedError
        return Caller(org=key.org, key=key.prefix, scopes=key.scopes)

    def _find(self, prefix: str, now: datetime) -> _Remembered:
        """The key of this prefix or the absence of one, remembered alike so that both take the same time."""
        known = self._remembered.get(prefix)
        if known is not None and now < known.until:
            return known
        with self._database.look() as conn:
            row = conn.execute(_select().where(api_keys.c.prefix == prefix)).first()
        stored = bytes(row.secret_sha256) if row else bytes(SECRET_BYTES)
        found = _Remembered(_api_key(row) if row else None, stored, now + REMEMBERED_FOR)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[prefix] = found
        return found


def _select() -> Select[Any]:
    columns = (organizations.c.slug, organizations.c.name, organizations.c.created.label("founded"))
    return select(api_keys, *columns).join(organizations, organizations.c.id == api_keys.c.org)


def _api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        prefix=row.prefix,
        org=Organization(id=row.org, slug=row.slug, name=row.name, created=from_instant(row.founded)),
        scopes=parse_scopes(row.scopes),
        label=row.label,
        created=from_instant(row.created),
        expires=None if row.expires is None else from_instant(row.expires),
        revoked=None if row.revoked is None else from_instant(row.revoked),
    )
