"""Sessions of people on the pages: begun with an API key, known by a random token, ended on the server.

A session can do what its key can, and ends with it: every use looks the key up again. It ends as well after
IDLE without use, after LONGEST in any case, when its holder signs out, and when one key has more than MOST of them.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from ledger_service.accounts.api_keys import Caller
from ledger_service.accounts.organizations import Organization
from ledger_service.accounts.scopes import parse_scopes
from ledger_service.accounts.tables import account_events, api_keys, organizations, sessions
from ledger_service.errors import MalformedError, UnauthenticatedError
from ledger_service.proofs.canonical import decode_base64url, encode_base64url
from ledger_service.storage.metadata import from_instant, to_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from ledger_service.accounts.api_keys import ApiKeys
    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
MOST: Final = 10
TOKEN_BYTES: Final = 32
# A use is noted when the last note is older than this, so that most requests write nothing.
_NOTED_EVERY: Final = timedelta(minutes=1)
_FORMS: Final = b"audit-ledger/form/v1"


@dataclass(frozen=True, slots=True)
class Session:
    """A session in use. `form_token` stands in each of its forms, and shows that a form was one of ours."""

    caller: Caller
    form_token: str = field(repr=False)
    began: datetime
    ends: datetime


class Sessions:
    """The sessions of this installation."""

    __slots__ = ("_api_keys", "_clock", "_database", "_entropy")

    def __init__(
        self,
        database: Database,
        api_keys: ApiKeys,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        """Keep them in `database`; `entropy(n)` gives n unpredictable bytes."""
        self._database = database
        self._api_keys = api_keys
        self._clock = clock
        self._entropy = entropy

    def begin(self, key: str) -> str:
        """Start a session of the holder of an API key and return its token; raises UnauthenticatedError."""
        caller = self._api_keys.authenticate(key)
        token = self._entropy(TOKEN_BYTES)
        now = self._clock.now()
        at = to_instant(now)
        with self._database.write("accounts.write") as conn:
            number = _key_number(conn, caller)
            conn.execute(delete(sessions).where(sessions.c.used <= to_instant(now - IDLE)))
            conn.execute(delete(sessions).where(sessions.c.began <= to_instant(now - LONGEST)))
            own = select(sessions.c.id).where(sessions.c.key == number).order_by(sessions.c.id.desc())
            spare = conn.execute(own.offset(MOST - 1)).scalars().all()
            conn.execute(delete(sessions).where(sessions.c.id.in_(spare)))
            values = {"token_sha256": hashlib.sha256(token).digest(), "key": number, "began": at, "used": at}
            conn.execute(insert(sessions).values(values))
            _note(conn, caller, "signed in", at=at)
        return encode_base64url(token)

    def find(self, text: str) -> Session:
        """The session of a token; raises the same UnauthenticatedError for unknown, ended and revoked."""
        token = _parse(text)
        now = self._clock.now()
        with self._database.read() as conn:
            row = conn.execute(_FIND, {"token": hashlib.sha256(token).digest()}).first()
        if row is None or row.revoked is not None:
            raise UnauthenticatedError
        began, used = from_instant(row.began), from_instant(row.used)
        ends = min(used + IDLE, began + LONGEST)
        if now >= ends or (row.expires is not None and from_instant(row.expires) <= now):
            raise UnauthenticatedError
        if now - used >= _NOTED_EVERY:
            ends = min(now + IDLE, began + LONGEST)
            with self._database.write("accounts.write") as conn:
                noted = update(sessions).where(sessions.c.id == row.id).values(used=to_instant(now))
                conn.execute(noted)
        return Session(_caller(row), form_token_of(text), began, ends)

    def end(self, text: str) -> None:
        """End the session of a token, if there is one."""
        digest = hashlib.sha256(_parse(text)).digest()
        at = to_instant(self._clock.now())
        with self._database.write("accounts.write") as conn:
            row = conn.execute(_FIND, {"token": digest}).first()
            if row is not None:
                conn.execute(delete(sessions).where(sessions.c.id == row.id))
                _note(conn, _caller(row), "signed out", at=at)

    def end_all(self, caller: Caller) -> int:
        """End every session of a key; returns how many."""
        at = to_instant(self._clock.now())
        with self._database.write("accounts.write") as conn:
            gone = conn.execute(delete(sessions).where(sessions.c.key == _key_number(conn, caller)))
            _note(conn, caller, "signed out everywhere", at=at)
        return gone.rowcount

    def open_of(self, caller: Caller) -> tuple[tuple[datetime, datetime], ...]:
        """When each session of a key that is in force began and was last used, newest first."""
        now = self._clock.now()
        with self._database.read() as conn:
            rows = conn.execute(
                select(sessions.c.began, sessions.c.used)
                .where(
                    sessions.c.key == _key_number(conn, caller),
                    sessions.c.used > to_instant(now - IDLE),
                    sessions.c.began > to_instant(now - LONGEST),
                )
                .order_by(sessions.c.id.desc())
            ).all()
        return tuple((from_instant(row.began), from_instant(row.used)) for row in rows)


def form_token_of(text: str) -> str:
    """What the forms of a token's holder carry: it follows from the token and does not tell it."""
    return encode_base64url(hmac.digest(_parse(text), _FORMS, "sha256"))


def check_form_token(offered: str, *, of: str) -> None:
    """Raise UnauthenticatedError unless a form was made for the holder of the token `of`."""
    if not hmac.compare_digest(offered.encode(), form_token_of(of).encode()):
        raise UnauthenticatedError


def _parse(text: str) -> bytes:
    try:
        return decode_base64url(text, size=TOKEN_BYTES)
    except MalformedError:
        raise UnauthenticatedError from None


def _key_number(conn: Connection, caller: Caller) -> int:
    wanted = select(api_keys.c.id).where(api_keys.c.prefix == caller.key)
    return int(conn.execute(wanted).scalar_one())


def _note(conn: Connection, caller: Caller, action: str, *, at: int) -> None:
    event = {"at": at, "org": caller.org.id, "action": action, "subject": caller.key}
    conn.execute(insert(account_events).values(event))


def _caller(row: Row[Any]) -> Caller:
    org = Organization(id=row.org, slug=row.slug, name=row.name, created=from_instant(row.founded))
    return Caller(org=org, key=row.prefix, scopes=parse_scopes(row.scopes))


_FIND: Final = (
    select(
        sessions,
        api_keys.c.prefix,
        api_keys.c.org,
        api_keys.c.scopes,
        api_keys.c.expires,
        api_keys.c.revoked,
        organizations.c.slug,
        organizations.c.name,
        organizations.c.created.label("founded"),
    )
    .join(api_keys, api_keys.c.id == sessions.c.key)
    .join(organizations, organizations.c.id == api_keys.c.org)
    .where(sessions.c.token_sha256 == bindparam("token"))
)
