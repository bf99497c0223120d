"""Chains whose SHA-256 is missing or broken: nothing is deployed, and no hash is read from stale memory."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from eth.exceptions import OutOfGas, Revert
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState

from tests.contracts.evm import Evm, RevertedError, artifact
from tests.contracts.logs import OPENER
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from eth.abc import ComputationAPI

SHA256_ADDRESS = bytes(19) + b"\2"


Precompile = Callable[["ComputationAPI"], "ComputationAPI"]


def intact(computation: ComputationAPI) -> ComputationAPI:
    """SHA-256."""
    computation.output = sha256(computation.msg.data).digest()
    return computation


def missing(computation: ComputationAPI) -> ComputationAPI:
    """No contract at the address: the call succeeds and returns nothing."""
    return computation


def short(computation: ComputationAPI) -> ComputationAPI:
    """One byte less than a hash."""
    computation.output = sha256(computation.msg.data).digest()[:31]
    return computation


def long(computation: ComputationAPI) -> ComputationAPI:
    """One byte more than a hash."""
    computation.output = sha256(computation.msg.data).digest() + b"\0"
    return computation


def failing(computation: ComputationAPI) -> ComputationAPI:
    """The call fails."""
    raise OutOfGas(computation.msg.gas)


def failing_with_a_hash(computation: ComputationAPI) -> ComputationAPI:
    """The call fails, yet the hash stands in what it returns."""
    computation.output = sha256(computation.msg.data).digest()
    raise Revert(computation.output)


def other_function(computation: ComputationAPI) -> ComputationAPI:
    """32 bytes that are not the hash."""
    computation.output = sha256(b"\xff" + computation.msg.data).digest()
    return computation


BROKEN = [missing, short, long, failing, failing_with_a_hash]


def evm_with(precompile: Precompile) -> Evm:
    """A chain with another contract at the address of SHA-256."""
    precompiles = {**PragueComputation._precompiles, SHA256_ADDRESS: precompile}
    computation = type("Computation", (PragueComputation,), {"_precompiles": precompiles})
    state = type("State", (PragueState,), {"computation_class": computation})
    return Evm(type("Machine", (PragueVM,), {"_state_class": state}))


@pytest.mark.parametrize("precompile", BROKEN)
def test_no_ledger_without_sha256(precompile: Precompile) -> None:
    """The constructor refuses a chain on which SHA-256 fails or returns anything but 32 bytes."""
    evm = evm_with(precompile)
    with pytest.raises(RevertedError, match="Sha256Failed"):
        evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])


def test_no_ledger_with_another_function() -> None:
    """The constructor refuses 32 bytes that are not SHA-256 of nothing, and says which they were."""
    evm = evm_with(other_function)
    with pytest.raises(RevertedError) as caught:
        evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])
    digest = sha256(b"\xff").digest()
    assert (caught.value.name, caught.value.values) == ("Sha256Missing", {"digest": digest})


@pytest.mark.parametrize("precompile", BROKEN)
def test_each_hash_is_checked(precompile: Precompile) -> None:
    """Leaf, node and empty hash each revert when the precompile does not answer as it must."""
    harness = evm_with(precompile).deploy(artifact("Rfc9162Harness"))
    calls: dict[str, tuple[bytes, ...]] = {"leafHash": (b"e",), "nodeHash": (bytes(32),) * 2, "emptyRoot": ()}
    for name, arguments in calls.items():
        with pytest.raises(RevertedError, match="Sha256Failed"):
            harness.view(name, *arguments)


@pytest.mark.parametrize("precompile", BROKEN)
def test_each_hash_of_a_proof_is_checked(precompile: Precompile) -> None:
    """A proof fails when any one of its hashes is not answered as it must, though all others are."""
    calls = iter([False] * 1000)

    def sometimes(computation: ComputationAPI) -> ComputationAPI:
        return (precompile if next(calls) else intact)(computation)

    harness = evm_with(sometimes).deploy(artifact("Rfc9162Harness"))
    tree = tree_of(100)
    first, second = 41, 90
    proof = (first, second, tree.root(first), tree.root(second), tree.consistency(first, second))
    assert harness.view("verifyConsistency", *proof) == ()
    hashes = 1000 - len(list(calls))
    assert hashes > len(proof[-1])
    for broken in range(hashes):
        calls = iter([i == broken for i in range(hashes)])
        with pytest.raises(RevertedError, match="Sha256Failed"):
            harness.view("verifyConsistency", *proof)
