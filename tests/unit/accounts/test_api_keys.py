"""API keys: shown once, stored as a hash, refused alike, gone when revoked."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.accounts.api_keys import REMEMBERED_FOR, ApiKeys
from ledger_service.accounts.key_text import KeyText, format_key, parse_key
from ledger_service.accounts.organizations import Organization, Organizations
from ledger_service.accounts.scopes import Scope, format_scopes, parse_scopes
from ledger_service.accounts.tables import account_events, api_keys
from ledger_service.errors import (
    BadNameError,
    MalformedError,
    ScopeMissingError,
    UnauthenticatedError,
    UnknownKeyError,
)

if TYPE_CHECKING:
    from ledger_service.storage.engine import Database
    from tests.unit.accounts.conftest import HandClock


@pytest.fixture
def org(database: Database, clock: HandClock) -> Organization:
    """The organization that the keys belong to."""
    return Organizations(database, clock=clock).create("cdnow", name="CDNOW, Inc.")


@pytest.fixture
def keys(database: Database, clock: HandClock) -> ApiKeys:
    """The keys under test."""
    return ApiKeys(database, clock=clock, entropy=secrets.token_bytes)


def test_a_key_tells_who_calls(keys: ApiKeys, org: Organization) -> None:
    """The text that was given out authenticates as its organization with its scopes."""
    text = keys.issue(org, scopes={Scope.RECORDS_WRITE}, label="shop")
    caller = keys.authenticate(text)
    assert caller.org == org
    assert caller.key == parse_key(text).prefix
    caller.check_scope(Scope.RECORDS_WRITE)
    with pytest.raises(ScopeMissingError):
        caller.check_scope(Scope.RECORDS_READ)


def test_the_secret_is_not_stored(keys: ApiKeys, org: Organization, database: Database) -> None:
    """Nothing in the row is, or contains, the secret."""
    secret = parse_key(keys.issue(org, scopes={Scope.RECORDS_READ}, label="shop")).secret
    with database.read() as conn:
        row = conn.execute(select(api_keys)).one()
    assert all(secret not in value for value in row if isinstance(value, bytes))
    assert secret.hex() not in repr(row)


def test_a_wrong_secret_and_an_unknown_prefix_are_refused_alike(keys: ApiKeys, org: Organization) -> None:
    """The answer does not tell whether the prefix exists."""
    good = parse_key(keys.issue(org, scopes={Scope.RECORDS_READ}, label="shop"))
    wrong = format_key(KeyText(prefix=good.prefix, secret=bytes(32)))
    unknown = format_key(KeyText(prefix="f" * 16, secret=good.secret))
    texts = []
    for text in (wrong, unknown, "", "alk_x", "Bearer", "alk_" + "0" * 16 + "_" + "A" * 43):
        with pytest.raises(UnauthenticatedError) as caught:
            keys.authenticate(text)
        texts.append((caught.value.text, caught.value.details))
    assert len({str(each) for each in texts}) == 1


def test_an_expired_key_is_refused(keys: ApiKeys, org: Organization, clock: HandClock) -> None:
    """A key stops working at the moment it was made to end."""
    text = keys.issue(
        org, scopes={Scope.RECORDS_READ}, label="shop", expires=clock.now() + timedelta(seconds=1)
    )
    keys.authenticate(text)
    clock.wait(timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError):
        keys.authenticate(text)


def test_a_revoked_key_is_refused_everywhere_within_seconds(
    keys: ApiKeys, org: Organization, clock: HandClock, database: Database
) -> None:
    """Revoking works at once here, and in a process that remembers the key within two seconds."""
    elsewhere = ApiKeys(database, clock=clock, entropy=secrets.token_bytes)
    text = keys.issue(org, scopes={Scope.RECORDS_READ}, label="shop")
    elsewhere.authenticate(text)
    keys.authenticate(text)
    assert keys.revoke(parse_key(text).prefix).revoked == clock.now()
    with pytest.raises(UnauthenticatedError):
        keys.authenticate(text)
    clock.wait(REMEMBERED_FOR)
    with pytest.raises(UnauthenticatedError):
        elsewhere.authenticate(text)


def test_revoking_twice_keeps_the_first_moment(keys: ApiKeys, org: Organization, clock: HandClock) -> None:
    """A second revocation changes nothing and does not fail."""
    prefix = parse_key(keys.issue(org, scopes={Scope.RECORDS_READ}, label="shop")).prefix
    first = keys.revoke(prefix)
    clock.wait(timedelta(hours=1))
    assert keys.revoke(prefix) == first
    with pytest.raises(UnknownKeyError):
        keys.revoke("0" * 16)


def test_every_key_is_listed_with_its_events(keys: ApiKeys, org: Organization, database: Database) -> None:
    """Revoked keys stay visible, and every change left its line."""
    prefix = parse_key(keys.issue(org, scopes=set(Scope), label="shop")).prefix
    keys.revoke(prefix)
    assert [(key.prefix, key.scopes, key.label) for key in keys.all()] == [(prefix, frozenset(Scope), "shop")]
    with database.read() as conn:
        actions = conn.execute(select(account_events.c.action).order_by(account_events.c.id)).scalars().all()
    assert actions == ["organization created", "key created", "key revoked"]


def test_key_text_survives_the_round_trip() -> None:
    """What format_key writes, parse_key reads, and the secret does not show in the representation."""
    key = KeyText(prefix="0123456789abcdef", secret=secrets.token_bytes(32))
    assert parse_key(format_key(key)) == key
    assert key.secret.hex() not in repr(key)
    assert "secret" not in repr(key)


@pytest.mark.parametrize("change", ["{}x", "x{}", "{} ", "{}\n"])
def test_key_text_is_read_strictly(change: str) -> None:
    """Nothing but the exact text is a key."""
    text = format_key(KeyText(prefix="0" * 16, secret=bytes(32)))
    with pytest.raises(MalformedError):
        parse_key(change.format(text))


def test_scopes_survive_the_round_trip() -> None:
    """A list of scopes reads back as the same set, and an unknown or empty one is refused."""
    assert parse_scopes(format_scopes(Scope)) == frozenset(Scope)
    assert parse_scopes("records:read,records:write") == {Scope.RECORDS_READ, Scope.RECORDS_WRITE}
    for text in ("", "records:delete", "records:read everything"):
        with pytest.raises(BadNameError):
            parse_scopes(text)
