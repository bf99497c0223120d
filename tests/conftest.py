"""What every test gets: loopback only, a printed seed, and real servers that start once and always die."""

from __future__ import annotations

import ipaddress
import random
import secrets
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.anvil import Anvil
from tests.support.browser import launch_browser, open_page
from tests.support.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

_REAL_CONNECT = socket.socket.connect


class OtherMachineError(ConnectionError):
    """A test tried to reach something beyond loopback."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seed` makes a run draw what an earlier one drew."""
    parser.addoption("--seed", type=int, default=None, help="seed of everything random in the tests")


def pytest_configure(config: pytest.Config) -> None:
    """Fix the run's seed before anything draws."""
    if config.option.seed is None:
        config.option.seed = secrets.randbits(32)


def pytest_report_header(config: pytest.Config) -> str:
    """The line that lets somebody else repeat this run."""
    return f"seed: {config.option.seed} (repeat with --seed {config.option.seed})"


def _is_local(family: int, address: object) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0]) if isinstance(address, tuple) else ""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """No test reaches another machine; one that tries fails with the address it wanted."""

    def connect(self: socket.socket, address: tuple[str, int] | str | bytes) -> None:
        if not _is_local(self.family, address):
            raise OtherMachineError(f"a test tried to reach {address!r}: only loopback is open to tests")
        _REAL_CONNECT(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness of one test: the run's seed and the test's name, so that order does not matter."""
    return random.Random(f"{request.config.option.seed}/{request.node.nodeid}")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """One PostgreSQL cluster for the whole run, started by the first test that asks."""
    with PostgresCluster.start() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test's own."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """A fresh Anvil that mines a block for each transaction."""
    with Anvil.start() as node:
        yield node


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run, started by the first test that asks."""
    with launch_browser() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of this test's own; a script of it that fails, fails the test."""
    with open_page(browser) as opened:
        yield opened
