"""Organizations: names that cannot surprise, and durable rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.accounts.organizations import Organizations, check_name, check_slug
from ledger_service.accounts.tables import account_events
from ledger_service.errors import BadNameError, NotFoundError, OrganizationExistsError

if TYPE_CHECKING:
    from ledger_service.storage.engine import Database
    from tests.unit.accounts.conftest import HandClock


@pytest.fixture
def parts(database: Database, clock: HandClock) -> Organizations:
    """The organizations under test."""
    return Organizations(database, clock=clock)


def test_an_organization_is_found_as_it_was_made(parts: Organizations) -> None:
    """What was created is found again, with the moment of its making."""
    made = parts.create("cdnow", name="CDNOW, Inc.")
    assert parts.find("cdnow") == made
    assert parts.all() == (made,)


def test_a_name_is_given_once(parts: Organizations) -> None:
    """A second organization of the same name is refused, and nothing of it stays."""
    parts.create("cdnow", name="CDNOW, Inc.")
    with pytest.raises(OrganizationExistsError):
        parts.create("cdnow", name="Another")
    assert len(parts.all()) == 1


def test_an_unknown_organization_is_not_found(parts: Organizations) -> None:
    """Looking for what does not exist raises, and gives nothing back."""
    with pytest.raises(NotFoundError):
        parts.find("nobody")


def test_the_event_is_written_with_the_change(parts: Organizations, database: Database) -> None:
    """Creating an organization leaves its line in the events."""
    made = parts.create("cdnow", name="CDNOW, Inc.")
    with database.read() as conn:
        row = conn.execute(select(account_events)).one()
    assert (row.org, row.action, row.subject) == (made.id, "organization created", "cdnow")


@pytest.mark.parametrize("slug", ["a", "a1", "city-open-data", "0", "a" * 63])
def test_good_slugs_pass(slug: str) -> None:
    """Lower-case letters, digits and single inner hyphens are a name."""
    assert check_slug(slug) == slug


@pytest.mark.parametrize(
    "slug", ["", "A", "a_b", "-a", "a-", "a--b", "a/b", "a.b", "é", "a\n", "a" * 64, "..", "a b"]
)
def test_bad_slugs_are_refused(slug: str) -> None:
    """Anything that could be misread in a URL, an origin or a file name is refused."""
    with pytest.raises(BadNameError):
        check_slug(slug)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "\u202eabc", "x" * 201])
def test_bad_names_are_refused(name: str) -> None:
    """A name is one line that shows what it holds."""
    with pytest.raises(BadNameError):
        check_name(name)
