"""One chain for all contract tests; logs are many and independent, so the tests share a contract."""

from __future__ import annotations

import pytest

from tests.contracts.evm import Deployed, Evm, artifact
from tests.contracts.logs import OPENER, LogDriver
from tests.contracts.trees import tree_of


@pytest.fixture(scope="session")
def evm() -> Evm:
    """A fresh chain in memory."""
    return Evm()


@pytest.fixture(scope="session")
def ledger(evm: Evm) -> Deployed:
    """A purchase ledger with one opener."""
    return evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])


@pytest.fixture(scope="session")
def harness(evm: Evm) -> Deployed:
    """The library's functions as calls."""
    return evm.deploy(artifact("Rfc9162Harness"))


@pytest.fixture
def log(ledger: Deployed) -> LogDriver:
    """A new log without a head, over a tree of a hundred entries."""
    driver = LogDriver(ledger, tree_of(100))
    driver.open()
    return driver
