"""The account that publishes is replaced: everything is handed over, nothing is lost, and the old one is out."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.chain.account import PublisherAccount
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.publishers import (
    FIRST_KEY,
    Publisher,
    Publishers,
    count_moving,
    name_publisher,
    read_publishers,
)
from ledger_service.chain.rollback import compare_with_chain
from ledger_service.chain.tables import chain_actions
from ledger_service.errors import ContractRevertedError, StorageFatalError
from ledger_service.storage import failpoints
from ledger_service.storage.engine import Database
from tests.support.anchoring import ARTIFACTS, ORIGIN, AnchoringRig
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.chain.contract import LogState
    from tests.support.anvil import Anvil

NEXT = "next"


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def two_logs() -> PaperLogs:
    """Logs in two contracts."""
    certificates = PaperLog("ledger.example/logs/shop/completions", contract_kind="CertificateRegistry")
    return PaperLogs(PaperLog(ORIGIN).grow(5), certificates.grow(2))


@pytest.fixture
def rig(anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer on a fresh Anvil, final after two blocks."""
    made = AnchoringRig.create(anvil.url, tmp_path, papers=two_logs())
    fund(anvil, add_next(made))
    yield made
    made.close()


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[AnchoringRig]:
    """An anchorer on a chain of the operator's own, where the next account has nothing."""
    with EmbeddedNode(tmp_path / "chain.sqlite") as node:
        secret = load_funded_key(tmp_path / "chain.key").to_bytes()
        made = AnchoringRig.create(
            node.url, tmp_path, papers=two_logs(), secret=secret, self_anchored=True, confirmations=1
        )
        add_next(made)
        yield made
        made.close()


def add_next(rig: AnchoringRig) -> bytes:
    """Give the rig the key of a next account; returns its address."""
    rig.accounts[NEXT] = PublisherAccount(sha256(b"the next publisher").digest())
    return rig.accounts[NEXT].address


def fund(anvil: Anvil, address: bytes) -> None:
    """Money from nowhere, as on a chain that others run."""
    anvil.rpc.call("anvil_setBalance", "0x" + address.hex(), hex(10**20))


def publishers(rig: AnchoringRig) -> Publishers:
    """Who publishes."""
    chain = rig.pins.pinned()
    assert chain is not None
    return read_publishers(rig.database, chain.row, first=lambda: rig.account.address)


def name_next(rig: AnchoringRig) -> None:
    """What the command stores."""
    chain = rig.pins.pinned()
    assert chain is not None
    present = Publisher(rig.account.address, FIRST_KEY)
    following = Publisher(rig.accounts[NEXT].address, NEXT)
    name_publisher(rig.database, chain.row, present=present, following=following, clock=rig.clock)


def move(rig: AnchoringRig, *, anvil: Anvil | None = None, most: int = 400) -> None:
    """Step until the next account publishes."""
    for _ in range(most):
        rig.step()
        if publishers(rig).following is None:
            return
        if anvil is not None:
            anvil.mine()
    raise AssertionError(f"not moved after {most} steps: {rig.alarms()}")


def state_of(rig: AnchoringRig) -> LogState:
    """What the contract keeps of the first log."""
    state = rig.state()
    assert state is not None
    return state


def senders(rig: AnchoringRig) -> list[tuple[str, bytes, int]]:
    """Kind, account and nonce of everything that was ever asked of the chain."""
    columns = (chain_actions.c.kind, chain_actions.c.sender, chain_actions.c.nonce)
    with rig.database.read() as conn:
        rows = conn.execute(select(*columns).order_by(chain_actions.c.id))
        return [(row.kind, bytes(row.sender), row.nonce) for row in rows]


def check_moved(rig: AnchoringRig) -> None:
    """The next account has every log, every contract and nonces of its own; the old one has nothing left."""
    old, new = rig.account.address, rig.accounts[NEXT].address
    rig.paper.grow(4)
    rig.logs.papers[1].grow(1)
    rig.settle(most=400)
    now = rig.node.newest()
    for paper in rig.logs.papers:
        contract = rig.contract(paper.contract_kind)
        log_id = contract.find_log(old, paper.origin, at=now)
        assert log_id is not None
        state = contract.log_state(log_id, at=now)
        assert state is not None
        assert (state.publisher, state.size) == (new, paper.published)
        assert (contract.has_role(new, at=now), contract.has_role(old, at=now)) == (True, False)
    for account in (old, new):
        nonces = [nonce for _, sender, nonce in senders(rig) if sender == account]
        assert len(nonces) > 1
        assert nonces == list(range(len(nonces)))
    assert rig.alarms() == set()
    assert publishers(rig).everybody == (old, new)


def test_a_real_node_sees_the_next_publisher(rig: AnchoringRig, anvil: Anvil) -> None:
    """On a chain that others run, logs and roles are handed over and each account keeps nonces of its own."""
    rig.settle()
    name_next(rig)
    move(rig, anvil=anvil)
    check_moved(rig)
    assert not rig.actions("fund")


def test_the_money_goes_along_on_a_chain_of_our_own(own_rig: AnchoringRig) -> None:
    """Where nobody else could send money, the old account does."""
    rig = own_rig
    rig.settle(most=400)
    name_next(rig)
    move(rig)
    check_moved(rig)
    now = rig.node.newest()
    old, new = (
        rig.node.balance_wei(each, at=now) for each in (rig.account.address, rig.accounts[NEXT].address)
    )
    assert old < new // 100
    assert len(rig.actions("fund")) == 1


def test_what_is_under_way_ends_first(rig: AnchoringRig, anvil: Anvil) -> None:
    """A publication that waits is mined by the old account before anything is handed over."""
    rig.settle()
    anvil.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON-RPC's order
    rig.paper.grow(3)
    rig.step()
    name_next(rig)
    rig.paper.grow(3)
    for _ in range(3):
        rig.step()
    assert senders(rig)[-1][0] == "publish"
    anvil.mine()
    rig.step()
    assert {kind for kind, _, _ in senders(rig)[-4:]} == {"role", "rotate"}
    anvil.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON-RPC's order
    move(rig, anvil=anvil)
    check_moved(rig)
    assert [head.size for head in rig.heads_on_chain()] == [5, 8, 15]


def test_the_old_publisher_is_refused(rig: AnchoringRig, anvil: Anvil) -> None:
    """After the change the contract takes nothing from the old account, and it may open nothing."""
    rig.settle()
    name_next(rig)
    move(rig, anvil=anvil)
    contract = rig.contract()
    old = AnchoringRig(anvil.url, rig.database_url, papers=rig.logs)
    old.accounts[NEXT] = rig.account
    for call in (
        contract.open_log("a stranger's", publisher=rig.account.address, head_key=b"\x01" * 20),
        contract.grant_role(rig.account.address),
    ):
        with pytest.raises(ContractRevertedError) as caught:
            old.anchorer.ask("open", call)
        assert caught.value.details["name"] == "AccessControlUnauthorizedAccount"
    old.close()


def test_a_key_and_a_publisher_change_together(rig: AnchoringRig, anvil: Anvil) -> None:
    """A log whose keys are replaced during the move ends with the new publisher and the new head key."""
    rig.settle()
    rig.paper.grow(2)
    rig.paper.rotate()
    name_next(rig)
    move(rig, anvil=anvil)
    rig.settle()
    check_moved(rig)
    assert state_of(rig).head_key_from == 7


def test_a_key_that_is_replaced_after_the_hand_over_waits_for_the_next_publisher(
    rig: AnchoringRig, anvil: Anvil
) -> None:
    """The old account asks nothing more of a log that it has handed over, so nothing keeps the next one waiting."""
    rig.settle()
    name_next(rig)
    for _ in range(400):
        rig.step()
        if state_of(rig).publisher == rig.accounts[NEXT].address:
            break
    assert publishers(rig).following is not None
    rig.paper.rotate()
    move(rig, anvil=anvil)
    check_moved(rig)
    assert (state_of(rig).head_key_from, rig.actions("rotate")[-1].log) == (5, 1)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("chain.plan", "fail-done"),
        ("chain.observe", "fail"),
        ("chain.switch-publisher", "fail"),
        ("chain.switch-publisher", "fail-done"),
    ],
)
def test_a_fault_at_any_step_of_the_move_is_survived(
    rig: AnchoringRig, anvil: Anvil, name: str, action: str
) -> None:
    """Whatever is struck, the next start goes on and hands everything over once."""
    rig.settle()
    anvil.mine(2)
    rig.settle()
    name_next(rig)
    failpoints.arm(f"{name}={action}")
    with pytest.raises(StorageFatalError):
        move(rig, anvil=anvil)
    rig.database.close()
    rig.database = Database.open(rig.database_url)
    again = AnchoringRig(anvil.url, rig.database_url, papers=rig.logs)
    add_next(again)
    if publishers(again).following is not None:
        move(again, anvil=anvil)
    check_moved(again)
    assert [kind for kind, _, _ in senders(again)].count("rotate") == 2
    again.close()


def test_a_reorganization_during_the_move_is_survived(rig: AnchoringRig, anvil: Anvil) -> None:
    """The next account takes over only when nothing can be taken back any more."""
    rig.settle()
    anvil.mine(2)
    rig.settle()
    name_next(rig)
    rig.step()
    anvil.reorganize(1)
    assert state_of(rig).publisher == rig.account.address
    move(rig, anvil=anvil)
    check_moved(rig)


def test_a_next_publisher_without_its_role_is_an_alarm(rig: AnchoringRig) -> None:
    """When the contract refuses the hand-over, an operator hears of it and the old account stays."""
    rig.settle()
    contract = rig.contract()
    rig.anchorer.ask("role", contract.renounce_role(rig.account.address))
    rig.settle()
    name_next(rig)
    for _ in range(4):
        rig.step()
    assert rig.alarms() == {AlarmCode.PUBLISH_REFUSED}
    assert publishers(rig).present.address == rig.account.address
    with rig.database.read() as conn:
        assert count_moving(conn) == 1


def test_the_comparison_at_start_knows_every_publisher(
    rig: AnchoringRig, anvil: Anvil, tmp_path: Path
) -> None:
    """After a change the logs that the old account opened are compared like those of the new one."""
    rig.settle()
    name_next(rig)
    move(rig, anvil=anvil)
    rig.logs.papers.append(PaperLog("ledger.example/logs/later/purchases").grow(2))
    with rig.database.write("log.open") as conn:
        rig.logs.register(conn)
    rig.settle()
    assert rig.alarms() == set()
    guard = HighWaterGuard(tmp_path / "guard.json")
    everybody = publishers(rig).everybody
    found = compare_with_chain(
        rig.logs, rig.node, pins=rig.pins, guard=guard, artifacts=ARTIFACTS, openers=everybody
    )
    assert (found.contracts, found.heads) == (2, 3)
