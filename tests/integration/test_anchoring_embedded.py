"""The same anchoring on the chain that we ship; only the label and the confirmations differ."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.errors import ChainReplacedError, ChainUnavailableError
from tests.support.anchoring import AnchoringRig
from tests.support.fault_proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.errors import LedgerError


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedNode]:
    """The embedded chain as a supervised child."""
    with EmbeddedNode(tmp_path / "chain.sqlite") as running:
        yield running


@pytest.fixture
def proxy(node: EmbeddedNode) -> Iterator[FaultProxy]:
    """A proxy in front of the node."""
    with FaultProxy(node.url) as made:
        yield made


@pytest.fixture
def rig(proxy: FaultProxy, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer with the chain's own key, final after one block."""
    secret = load_funded_key(tmp_path / "chain.key").to_bytes()
    made = AnchoringRig.create(
        proxy.url, tmp_path, secret=secret, self_anchored=True, confirmations=1, timeout_s=5.0
    )
    yield made
    made.close()


def anchor(rig: AnchoringRig, *, size: int, most: int = 400) -> None:
    """Step until the checkpoint of this size is final, whatever the node answers meanwhile."""
    trouble: LedgerError | None = None
    for _ in range(most):
        try:
            rig.step()
        except ChainUnavailableError as error:
            trouble = error
        if rig.stages().get(size) == "final":
            return
    raise AssertionError(f"not final after {most} steps: {rig.stages()}, {rig.alarms()}, {trouble}")


def test_one_confirmation_is_final(rig: AnchoringRig) -> None:
    """The first block that holds an anchor makes it final: nobody else extends this chain."""
    anchor(rig, size=5)
    rig.paper.grow(300)
    anchor(rig, size=305)
    assert [head.size for head in rig.heads_on_chain()] == [5, 305]
    assert rig.alarms() == set()
    assert all(sighting.header_rlp for sighting in rig.sightings())


def test_an_answer_lost_after_the_node_took_it_leads_to_one_anchor(
    rig: AnchoringRig, proxy: FaultProxy
) -> None:
    """An RPC that loses its answer after accepting the transaction does not lead to a second one."""
    anchor(rig, size=5)
    rig.paper.grow(1)
    proxy.fault("eth_sendRawTransaction", Fault.LOSE_ANSWER)
    with pytest.raises(ChainUnavailableError):
        rig.anchorer.step()
    anchor(rig, size=6)
    assert [head.size for head in rig.heads_on_chain()] == [5, 6]
    assert len(rig.transactions(rig.actions("publish")[-1].id)) == 1


def test_a_killed_node_costs_nothing_but_time(rig: AnchoringRig, node: EmbeddedNode) -> None:
    """Killed with an anchor under way, the node is started again, and the anchor is there once."""
    anchor(rig, size=5)
    rig.paper.grow(1)
    rig.step()
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    anchor(rig, size=6)
    assert [head.size for head in rig.heads_on_chain()] == [5, 6]


def test_another_embedded_chain_is_refused(rig: AnchoringRig, proxy: FaultProxy, tmp_path: Path) -> None:
    """Each installation has a genesis of its own, so a chain file that was exchanged is noticed."""
    anchor(rig, size=5)
    (tmp_path / "other").mkdir()
    with EmbeddedNode(tmp_path / "other" / "chain.sqlite") as other:
        proxy.point_to(other.url)
        with pytest.raises(ChainReplacedError):
            rig.anchorer.step()
    assert rig.stages() == {5: "final"}
