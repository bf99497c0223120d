"""The servers that tests stand on start, do what they say, and leave nothing behind."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.anvil import Anvil
from tests.support.postgres import PostgresCluster
from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from random import Random


def _conninfo(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_postgres_is_durable_and_empty(postgres_url: str) -> None:
    """A test's database is empty and its server syncs every commit."""
    with psycopg.connect(_conninfo(postgres_url)) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_postgres_survives_a_crash() -> None:
    """What was committed before every server process got SIGKILL is there after recovery."""
    with PostgresCluster.start() as cluster:
        url = _conninfo(cluster.create_database())
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        cluster.crash()
        cluster.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
        directory = cluster.directory
    assert not directory.exists()


def test_a_child_dies_with_its_group() -> None:
    """Stopping a child ends what it started as well."""
    script = "import subprocess,sys; p=subprocess.Popen(['sleep','60']); print(p.pid,flush=True); p.wait()"
    with ChildProcess.start([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.popen.stdout is not None
        grandchild = int(child.popen.stdout.readline())
        descriptor = os.pidfd_open(grandchild)
    try:
        assert select.select([descriptor], [], [], 5)[0], "the grandchild outlived its group"
    finally:
        os.close(descriptor)


def test_anvil_mines_and_forgets() -> None:
    """Anvil has the asked chain id, mines when told, and a reorganization replaces its newest blocks."""
    with Anvil.start(chain_id=4242, mining="manual") as node:
        assert int(node.rpc.call("eth_chainId"), 16) == 4242
        node.mine(3)
        before = node.rpc.block_hash(3)
        node.reorganize(2)
        after = node.rpc.block_hash(3)
    assert before != after


def test_another_chain_can_take_the_address() -> None:
    """A node started at a known port has another genesis than the one that was there."""
    with Anvil.start(options=["--timestamp", "1700000000"]) as first:
        port = first.port
        genesis = first.rpc.block_hash(0)
    with Anvil.start(port=port, options=["--timestamp", "1700000001"]) as second:
        assert second.port == port
        assert second.rpc.block_hash(0) != genesis


def test_other_machines_are_out_of_reach() -> None:
    """A test that opens a connection beyond loopback fails at once."""
    with socket.socket() as connection, pytest.raises(ConnectionError, match="only loopback"):
        connection.connect(("192.0.2.1", 80))
    with pytest.raises(urllib.error.URLError, match="only loopback"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)


def test_the_seed_repeats(rng: Random, request: pytest.FixtureRequest) -> None:
    """A test draws the same values whenever the run has the same seed."""
    again = type(rng)(f"{request.config.option.seed}/{request.node.nodeid}")
    assert [rng.random() for _ in range(3)] == [again.random() for _ in range(3)]
