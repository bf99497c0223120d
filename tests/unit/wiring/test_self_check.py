"""The deep self-check: each of its checks is seen to fail, and what could not be looked at does not pass."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.alarms import AlarmCode
from ledger_service.clock import SystemClock
from ledger_service.errors import StorageFatalError
from ledger_service.storage.sqlite import find_driver
from ledger_service.wiring.self_check import KEPT_S, SelfCheck
from tests.support.http_ledger import purchase, until
from tests.support.small_ledger import SetClock
from tests.unit.api.conftest import Desk, body_of, resting_desk, signing_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Another library would not see the locks of this process, and would take them away when it closes the file.
DRIVER = find_driver()


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A service that has signed a record; its chain never answers. Each test leaves it as it was."""
    with signing_desk(tmp_path_factory.mktemp("signed"), DATABASE_WAIT_S="0.2") as desk:
        assert desk.record(purchase("one"), name="one").status_code == 201
        yield desk


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A service that was built and not started."""
    with resting_desk(tmp_path_factory.mktemp("resting")) as desk:
        yield desk


def fresh_check(desk: Desk, **changes: Any) -> SelfCheck:
    """A self-check of the service that has looked at nothing yet, with some of its parts changed."""
    here = desk.service
    parts = {"logs": here.logs, "alarms": here.alarms, "keeper": here.keeper, "clock": here.clock}
    settings = changes.pop("settings", here.settings)
    return SelfCheck(settings, here.database, **{**parts, **changes})


def outcomes(desk: Desk, **changes: Any) -> dict[str, str]:
    """What such a self-check finds."""
    return {each.name: each.outcome for each in fresh_check(desk, **changes).examine().checks}


GOOD = {
    "database": "pass",
    "disk": "pass",
    "signing": "pass",
    "checkpoints": "pass",
    "acceptances": "pass",
    "clock": "pass",
    "keys": "pass",
    "chain": "could not check",
}


def test_what_could_not_be_checked_is_not_healthy(signed: Desk) -> None:
    """While the chain is out of reach everything else passes, and the answer is 503 all the same."""
    assert outcomes(signed) == GOOD
    reply = signed.get("/healthz/deep")
    found = body_of(reply)
    assert (reply.status_code, found["healthy"]) == (503, False)
    assert {each["name"]: each["outcome"] for each in found["checks"]} == GOOD
    assert signed.record(purchase("two"), name="two").status_code == 201


def test_a_service_that_does_not_sign_is_not_healthy(resting: Desk) -> None:
    """A service that takes no writes says so, and the openings that wait are not overdue yet."""
    assert outcomes(resting) == GOOD | {"signing": "fail"}


def test_a_record_that_waits_for_too_long_is_found(resting: Desk) -> None:
    """Once a promise is broken the check fails."""
    late = SetClock(SystemClock().now() + timedelta(minutes=2))
    assert outcomes(resting, clock=late)["acceptances"] == "fail"


def test_a_clock_behind_what_was_signed_is_found(signed: Desk) -> None:
    """A clock that was set back fails, one that is a second late does not."""
    now = SystemClock().now()
    assert outcomes(signed, clock=SetClock(now - timedelta(seconds=60)))["clock"] == "fail"
    assert outcomes(signed, clock=SetClock(now - timedelta(seconds=1)))["clock"] == "pass"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), 'ledger.t', 'ledger.u') AS BLOB)",
        "UPDATE checkpoints SET note = CAST(substr(CAST(note AS TEXT), 1, 900) || char(10) AS BLOB)",
        "UPDATE checkpoints SET root = zeroblob(32)",
        "UPDATE log_tiles SET hashes = zeroblob(length(hashes))",
        "UPDATE log_entries SET entry = substr(entry, 2)",
        "DELETE FROM log_tiles",
        "DELETE FROM checkpoints",
    ],
)
def test_damage_to_the_newest_is_found(signed: Desk, damage: str) -> None:
    """A note, a root, a tile or an entry that does not belong to the others fails the check."""
    path = signed.service.settings.data_dir / "ledger.db"
    table = next(word for word in damage.split() if word.startswith(("checkpoints", "log_")))
    with closing(DRIVER.connect(path, timeout=10)) as other:
        other.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table}")
        other.execute(damage)
        other.commit()
        assert outcomes(signed)["checkpoints"] == "fail"
        other.execute(f"DELETE FROM {table}")
        other.execute(f"INSERT INTO {table} SELECT * FROM kept")
        other.commit()
    assert outcomes(signed) == GOOD


def test_a_database_that_cannot_be_written_is_found(signed: Desk) -> None:
    """One that somebody else keeps locked could not be checked, one that failed is a failure."""
    path = signed.service.settings.data_dir / "ledger.db"
    with closing(DRIVER.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert outcomes(signed)["database"] == "could not check"
    assert outcomes(signed)["database"] == "pass"
    signed.service.database._failure = StorageFatalError()
    assert outcomes(signed)["database"] == "fail"
    signed.service.database._failure = None


def test_looking_writes_nothing(resting: Desk) -> None:
    """However often it looks, no page of the database changes."""
    path = resting.service.settings.data_dir / "ledger.db"
    with closing(DRIVER.connect(path)) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        for _ in range(3):
            outcomes(resting)
        assert other.execute("PRAGMA data_version").fetchone() == before


def test_a_full_disk_is_found(resting: Desk) -> None:
    """Less space than the reserve fails the check before records are refused for it."""
    settings = replace(resting.service.settings, disk_reserve_mb=10**9)
    assert outcomes(resting, settings=settings)["disk"] == "fail"


def test_a_lost_key_is_found_before_the_next_start_needs_it(signed: Desk) -> None:
    """The process that has read the key goes on, and the check fails."""
    path = signed.service.settings.kek_path
    away = path.rename(path.with_name("elsewhere"))
    assert outcomes(signed) == GOOD | {"keys": "fail"}
    away.rename(path)
    assert outcomes(signed) == GOOD


def test_an_open_alarm_fails(signed: Desk) -> None:
    """What the anchorer has found is named by its code."""
    signed.service.alarms.report({(AlarmCode.ANCHOR_DISPUTED, "a log"): "A final anchor is gone."})
    chain = fresh_check(signed).examine().checks[-1]
    assert (chain.name, chain.outcome) == ("chain", "fail")
    assert "anchor_disputed" in chain.detail
    signed.service.alarms.report({})


def test_asking_often_looks_seldom(resting: Desk) -> None:
    """Within ten seconds everybody gets the same outcome; then it is looked again."""
    now_s = 100.0
    check = fresh_check(resting, now_s=lambda: now_s)
    first = check.examine()
    now_s += KEPT_S - 0.1
    assert check.examine() is first
    now_s += 0.2
    assert check.examine() is not first


def test_many_logs_are_looked_at_in_turn(tmp_path: Path) -> None:
    """One look has a bound however many logs there are, and the next goes on where it ended."""
    with signing_desk(tmp_path) as desk:
        for number in range(4):
            desk.service.create_organization(f"org-{number}", name=f"Org {number}")
        until(lambda: True if all(self_signed(desk)) else None)
        now_s = 0.0
        check = fresh_check(desk, now_s=lambda: now_s)
        seen = [check._next_log]
        for _ in range(3):
            assert {e.name: e.outcome for e in check.examine().checks} == GOOD
            seen.append(check._next_log)
            now_s += KEPT_S
        assert seen == [0, 12, 24, 21]


def self_signed(desk: Desk) -> list[bool]:
    """Whether each log was ever signed."""
    found = []
    for log in desk.service.logs.logs():
        with desk.service.logs.view_number(log.id) as view:
            found.append(view.size > 0)
    return found
