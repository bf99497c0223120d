"""Sessions: known by a token that is not stored, ended by time, by their holder, and with their key."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.accounts.api_keys import ApiKeys
from ledger_service.accounts.key_text import parse_key
from ledger_service.accounts.organizations import Organizations
from ledger_service.accounts.scopes import Scope
from ledger_service.accounts.sessions import (
    IDLE,
    LONGEST,
    MOST,
    TOKEN_BYTES,
    Sessions,
    check_form_token,
    form_token_of,
)
from ledger_service.accounts.tables import account_events, sessions
from ledger_service.errors import UnauthenticatedError
from ledger_service.proofs.canonical import decode_base64url

if TYPE_CHECKING:
    from ledger_service.storage.engine import Database
    from tests.unit.accounts.conftest import HandClock


@pytest.fixture
def keys(database: Database, clock: HandClock) -> ApiKeys:
    """The keys that sessions are begun with."""
    return ApiKeys(database, clock=clock, entropy=secrets.token_bytes)


@pytest.fixture
def here(database: Database, keys: ApiKeys, clock: HandClock) -> Sessions:
    """The sessions under test."""
    return Sessions(database, keys, clock=clock, entropy=secrets.token_bytes)


@pytest.fixture
def key(database: Database, keys: ApiKeys, clock: HandClock) -> str:
    """A key that may read."""
    org = Organizations(database, clock=clock).create("shop", name="The Shop")
    return keys.issue(org, scopes={Scope.RECORDS_READ}, label="desk")


def refused(here: Sessions, text: str) -> str:
    """The words with which a token is refused."""
    with pytest.raises(UnauthenticatedError) as caught:
        here.find(text)
    return caught.value.text


def test_a_session_can_do_what_its_key_can(here: Sessions, key: str) -> None:
    """Its caller is the key's organization with the key's scopes."""
    session = here.find(here.begin(key))
    assert session.caller.key == parse_key(key).prefix
    assert session.caller.scopes == {Scope.RECORDS_READ}
    assert session.caller.org.name == "The Shop"


def test_tokens_are_random_and_not_stored(here: Sessions, key: str, database: Database) -> None:
    """Each token has 256 random bits; in the database stands its hash alone, nowhere the token."""
    tokens = [here.begin(key) for _ in range(MOST)]
    assert len({decode_base64url(each, size=TOKEN_BYTES) for each in tokens}) == MOST
    with database.read() as conn:
        stored = b"".join(row.token_sha256 for row in conn.execute(select(sessions)))
    assert not any(decode_base64url(each) in stored for each in tokens)


def test_without_use_a_session_ends(here: Sessions, key: str, clock: HandClock) -> None:
    """Use keeps it; after the idle time without any it is over."""
    text = here.begin(key)
    for _ in range(3):
        clock.wait(IDLE - timedelta(seconds=1))
        here.find(text)
    clock.wait(IDLE)
    assert refused(here, text)


def test_use_does_not_keep_a_session_for_ever(here: Sessions, key: str, clock: HandClock) -> None:
    """However much it is used, it ends after its longest time."""
    text = here.begin(key)
    while clock.now() - here.find(text).began < LONGEST - timedelta(minutes=20):
        clock.wait(timedelta(minutes=20))
    clock.wait(timedelta(minutes=20))
    assert refused(here, text)


def test_signing_out_ends_it_on_the_server(here: Sessions, key: str) -> None:
    """The token is no good afterwards, whoever still holds it; ending it again does nothing."""
    text, other = here.begin(key), here.begin(key)
    here.end(text)
    here.end(text)
    assert refused(here, text)
    assert here.find(other)


def test_all_sessions_of_a_key_end_together(here: Sessions, key: str) -> None:
    """They are listed, newest first, and ended by one call."""
    texts = [here.begin(key) for _ in range(3)]
    caller = here.find(texts[0]).caller
    assert len(here.open_of(caller)) == 3
    assert here.end_all(caller) == 3
    assert here.open_of(caller) == ()
    assert all(refused(here, each) for each in texts)


def test_a_revoked_or_expired_key_takes_its_sessions_along(
    here: Sessions, key: str, keys: ApiKeys, database: Database, clock: HandClock
) -> None:
    """From the moment on at which the key is no good, its sessions are none."""
    text = here.begin(key)
    keys.revoke(parse_key(key).prefix)
    assert refused(here, text)
    org = Organizations(database, clock=clock).find("shop")
    brief = keys.issue(
        org, scopes={Scope.RECORDS_READ}, label="brief", expires=clock.now() + timedelta(minutes=5)
    )
    text = here.begin(brief)
    here.find(text)
    clock.wait(timedelta(minutes=5))
    assert refused(here, text)


def test_a_key_has_so_many_sessions_and_no_more(here: Sessions, key: str) -> None:
    """One more than MOST ends the oldest."""
    texts = [here.begin(key) for _ in range(MOST + 1)]
    assert refused(here, texts[0])
    assert here.find(texts[1])
    assert here.find(texts[-1])


def test_what_is_no_token_is_refused_like_an_ended_one(here: Sessions, key: str) -> None:
    """Nonsense, an unknown token and an ended one get the same words."""
    ended = here.begin(key)
    here.end(ended)
    unknown = secrets.token_urlsafe(TOKEN_BYTES)
    assert len({refused(here, each) for each in ("", "x", "A" * 44, unknown, ended)}) == 1
    with pytest.raises(UnauthenticatedError):
        here.begin("alk_nonsense")


def test_what_was_is_told(here: Sessions, key: str, database: Database) -> None:
    """Signing in and out leave their lines, with the key's public part."""
    here.end(here.begin(key))
    here.end_all(here.find(here.begin(key)).caller)
    with database.read() as conn:
        rows = conn.execute(select(account_events).order_by(account_events.c.id)).all()
    assert [row.action for row in rows[-4:]] == [
        "signed in",
        "signed out",
        "signed in",
        "signed out everywhere",
    ]
    assert {row.subject for row in rows[-4:]} == {parse_key(key).prefix}


def test_a_form_belongs_to_one_session(here: Sessions, key: str) -> None:
    """The token of its forms follows from a session and fits no other; it does not tell the session's own."""
    first, second = here.begin(key), here.begin(key)
    check_form_token(here.find(first).form_token, of=first)
    assert form_token_of(first) != first
    for offered in (form_token_of(second), "", "ä", first):
        with pytest.raises(UnauthenticatedError):
            check_form_token(offered, of=first)
