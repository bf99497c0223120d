"""A fault at a durable step breaks no promise: a sample of the whole matrix.

`scripts/campaign_failpoints.py` runs all of it; docs/campaigns/failpoints.md has what came of that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from ledger_service.config import load_settings
from ledger_service.storage.failpoints import ACTIONS
from ledger_service.wiring.installation import open_database
from tests.support.anvil import Anvil
from tests.support.failpoint_case import draw_case, judge, names_of, read_checkpoints, run_case, settle
from tests.support.installation import AnvilBackend, Backend, EmbeddedBackend, Installation, pause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.support.postgres import PostgresCluster

EMBEDDED = EmbeddedBackend.name
ANVIL = AnvilBackend.name


@pytest.fixture(scope="module")
def backends(postgres_cluster: PostgresCluster) -> Iterator[dict[str, Backend]]:
    """Both pairs of a database and a chain."""
    with Anvil.start() as node:
        yield {EMBEDDED: EmbeddedBackend(), ANVIL: AnvilBackend(postgres_cluster, node)}


@pytest.mark.parametrize(("backend", "name"), [(EMBEDDED, name) for name in names_of(EMBEDDED)])
def test_each_step_survives_a_fault(
    backends: dict[str, Backend], rng: Random, backend: str, name: str
) -> None:
    """At every durable step one fault, drawn anew for each run, breaks nothing that was promised."""
    outcome = run_case(draw_case(rng, name, rng.choice(ACTIONS)), backends[backend], rng)
    assert outcome.problems == [], f"{outcome.case.text}\n{outcome.words}"


@pytest.mark.parametrize("action", ACTIONS)
def test_faults_on_a_server_and_a_real_node(backends: dict[str, Backend], rng: Random, action: str) -> None:
    """On PostgreSQL and Anvil each kind of fault, at a step that is drawn, breaks nothing either."""
    outcome = run_case(draw_case(rng, rng.choice(names_of(ANVIL)), action), backends[ANVIL], rng)
    assert outcome.problems == [], f"{outcome.case.text}\n{outcome.words}"


def test_a_fault_during_recovery(backends: dict[str, Backend], rng: Random) -> None:
    """A second fault while the service recovers from the first is survived as well."""
    first = draw_case(rng, "log.sign", "kill-before")
    second = draw_case(rng, rng.choice(("log.sign", "chain.plan", "chain.observe")), "kill-after")
    outcome = run_case(first, backends[EMBEDDED], rng, second=second)
    assert outcome.problems == [], f"{first.text}, then {second.text}\n{outcome.words}"


def test_a_deployment_that_only_the_chain_has_seen_is_no_rollback(
    backends: dict[str, Backend], rng: Random
) -> None:
    """After a crash between the first transaction's block and its observation, the service signs again."""
    with Installation(backends[EMBEDDED], rng) as installation:
        assert installation.set_up() is None
        assert installation.start("chain.observe=kill-before:1") is None
        while installation.alive:
            pause(0.02)
        while installation.backend.rpc().number("eth_blockNumber") < 1:
            pause(0.02)
        assert installation.start() is None
        deadline = time.monotonic() + 20
        while installation.record({"after"}):
            assert time.monotonic() < deadline, installation.words()
            pause(0.05)
        settle(installation)
        installation.stop()
        assert judge(installation, {}) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM log_entries WHERE idx = 3", "is lost"),
        ("UPDATE log_entries SET idx = idx + 100 WHERE idx = 3", "was told index"),
        (
            "UPDATE checkpoints SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM checkpoints)",
            "changed",
        ),
    ],
)
def test_the_test_can_fail(backends: dict[str, Backend], rng: Random, damage: str, words: str) -> None:
    """A lost entry, a moved index and another root are each noticed by the judge of these tests."""
    with Installation(backends[EMBEDDED], rng) as installation:
        assert installation.set_up() is None
        assert installation.start() is None
        keys = {f"key-{number}" for number in range(6)}
        while keys:
            keys = installation.record(keys)
            pause(0.02)
        settle(installation)
        installation.stop()
        seen = read_checkpoints(installation)
        assert judge(installation, seen) == []
        database = open_database(load_settings(installation.environment))
        with database.write("records.accept") as conn:
            conn.execute(text(damage))
        database.close()
        assert any(words in problem for problem in judge(installation, seen))
