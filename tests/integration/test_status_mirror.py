"""The status of records, brought from the log to the contract: in order, once, and again after a reorganization."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select
from web3 import HTTPProvider, Web3

from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.anchor_store import AnchorStore
from ledger_service.chain.contract import ProvenEntry
from ledger_service.chain.states import RecordState
from ledger_service.chain.status_audit import audit_states
from ledger_service.chain.status_store import StatusStore, changes_of, count_waiting
from ledger_service.chain.tables import status_cursors, status_mirrors
from ledger_service.errors import InjectedFaultError, LedgerError
from ledger_service.log.findings import AuditReport
from ledger_service.proofs.merkle import prove_inclusion
from ledger_service.proofs.types import LeafIndex, TreeSize
from ledger_service.storage import failpoints
from tests.support.anchoring import ARTIFACTS, AnchoringRig
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger_service.chain.contract import StatusChange
    from tests.support.anvil import Anvil

FILES = Path(__file__).parents[2] / "ledger_service" / "chain" / "artifacts"
CERTIFICATES = "CertificateRegistry"
SUSPENDED, ACTIVE, REVOKED = RecordState.SUSPENDED, RecordState.ACTIVE, RecordState.REVOKED


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """A log of ten certificates, anchored, on each engine."""
    database = None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    made = certificates(anvil, tmp_path, database=database)
    yield made
    made.close()


@pytest.fixture
def small(anvil: Anvil, tmp_path: Path) -> Iterator[AnchoringRig]:
    """The same on SQLite alone."""
    made = certificates(anvil, tmp_path)
    yield made
    made.close()


def certificates(anvil: Anvil, folder: Path, **options: Any) -> AnchoringRig:
    """A rig with one log of ten certificates, anchored."""
    paper = PaperLog("ledger.example/logs/school/completions", contract_kind=CERTIFICATES).grow(10)
    made = AnchoringRig.create(anvil.url, folder, papers=PaperLogs(paper), **options)
    made.settle(most=20)
    return made


def told(rig: AnchoringRig, record: int) -> tuple[StatusChange, ...]:
    """What the contract's events say about a record."""
    head, contract = rig.node.newest(), rig.contract(CERTIFICATES)
    log_id = contract.find_log(rig.account.address, rig.paper.origin, at=head)
    assert log_id is not None
    return contract.status_changes(log_id, record, at=head)


def states_told(rig: AnchoringRig, record: int) -> list[RecordState]:
    """The states that a record went through in the contract."""
    return [each.state for each in told(rig, record)]


def waiting(rig: AnchoringRig) -> int:
    """How many changes the contract lacks."""
    with rig.database.read() as conn:
        return count_waiting(conn)


def audited(rig: AnchoringRig) -> AuditReport:
    """What an audit of the contract's states finds."""
    report = AuditReport()
    audit_states(
        report,
        rig.node,
        pins=rig.pins,
        anchors=AnchorStore(rig.database, clock=rig.clock),
        store=StatusStore(rig.database),
        changes=rig.logs,
        heads={head.log: head for head in rig.logs.heads()},
        artifacts=ARTIFACTS,
    )
    return report


def status_by_web3(rig: AnchoringRig, anvil: Anvil, record: int) -> Any:
    """`statusOf` at the newest accepted head, by web3.py and the committed ABI."""
    contract, newest = rig.contract(CERTIFICATES), rig.node.newest()
    log_id = contract.find_log(rig.account.address, rig.paper.origin, at=newest)
    assert log_id is not None
    head = contract.all_heads(log_id, at=newest)[-1].head
    abi = json.loads((FILES / f"{CERTIFICATES}.json").read_text("utf-8"))["abi"]
    web3 = Web3(HTTPProvider(anvil.url))
    stranger = web3.eth.contract(address=Web3.to_checksum_address(contract.address), abi=abi)
    path = prove_inclusion(rig.paper, LeafIndex(record), TreeSize(head.size))
    proven = (record, rig.paper.leaves[record], list(path))
    accepted = (head.size, head.root, head.time, head.previous_size)
    return stranger.functions.statusOf(log_id, accepted, proven).call()


def test_a_change_in_the_log_becomes_the_contracts_state(rig: AnchoringRig, anvil: Anvil) -> None:
    """State, reason and explanation stand in the contract as web3 reads it, and it is kept where they do."""
    said = rig.paper.change(3, SUSPENDED, reason=6)
    assert states_told(rig, 3) == []
    rig.settle(most=20)
    state, since, reason, explanation, leaf = status_by_web3(rig, anvil, 3)
    assert (state, reason, explanation) == (SUSPENDED, 6, said.explanation)
    assert bytes(leaf) == rig.paper.leaves[said.explanation]
    with rig.database.read() as conn:
        (kept,) = changes_of(conn, rig.paper.number, 3)
    (event,) = told(rig, 3)
    assert (kept.outcome, kept.since) == ("mirrored", since)
    assert (kept.block_number, kept.tx_hash) == (event.event.block_number, event.event.tx_hash)
    assert (waiting(rig), rig.alarms()) == (0, set())
    assert status_by_web3(rig, anvil, 4)[0] == ACTIVE


def test_changes_of_one_record_are_made_in_the_order_of_the_log(rig: AnchoringRig) -> None:
    """A certificate that was suspended, reinstated and revoked at one stroke goes through the same states there."""
    for state in (SUSPENDED, ACTIVE, SUSPENDED, REVOKED):
        rig.paper.change(3, state)
    rig.paper.change(4, REVOKED)
    rig.settle(most=40)
    assert states_told(rig, 3) == [SUSPENDED, ACTIVE, SUSPENDED, REVOKED]
    assert states_told(rig, 4) == [REVOKED]
    assert (waiting(rig), rig.alarms()) == (0, set())


def test_a_reorganization_takes_a_change_back_and_it_is_made_again(rig: AnchoringRig, anvil: Anvil) -> None:
    """What the chain forgot is missing there at the next look, waits, and is mirrored again, once."""
    rig.paper.change(3, REVOKED)
    rig.settle(most=20)
    anvil.reorganize(2)
    rig.paper.grow(1)
    assert states_told(rig, 3) == []
    rig.step()
    assert waiting(rig) == 1
    rig.settle(most=40)
    assert states_told(rig, 3) == [REVOKED]
    with rig.database.read() as conn:
        (kept,) = changes_of(conn, rig.paper.number, 3)
    assert kept.tx_hash == told(rig, 3)[0].event.tx_hash
    assert (waiting(rig), rig.alarms()) == (0, set())


def test_a_reorganization_of_the_head_as_well_needs_other_proofs(small: AnchoringRig, anvil: Anvil) -> None:
    """When the head has another time in the new chain, the stored transaction fails and a new one is made."""
    small.paper.change(3, REVOKED)
    small.settle(most=20)
    anvil.reorganize(4)
    anvil.rpc.call("evm_increaseTime", 5)
    anvil.mine()
    sent = len(small.actions("status"))
    small.settle(most=60)
    assert states_told(small, 3) == [REVOKED]
    assert len(small.actions("status")) == sent + 1
    assert (waiting(small), small.alarms()) == (0, set())


def test_what_the_contract_refuses_for_good_is_an_alarm_and_no_loop(small: AnchoringRig) -> None:
    """A change against the rules is asked about once, told, and keeps no other change from being made."""
    small.paper.change(3, REVOKED)
    small.paper.change(3, SUSPENDED)
    small.paper.change(4, SUSPENDED)
    small.paper.change(4, SUSPENDED)
    small.paper.change(4, ACTIVE)
    small.settle(most=40)
    assert small.alarms() == {AlarmCode.STATUS_REFUSED}
    assert (states_told(small, 3), states_told(small, 4)) == ([REVOKED], [SUSPENDED, ACTIVE])
    with small.database.read() as conn:
        second = changes_of(conn, small.paper.number, 3)[1]
    assert second.outcome == "refused"
    assert "ChangeNotAllowed" in str(second.refusal)
    sent = len(small.actions("status"))
    for _ in range(3):
        assert small.step().planned == 0
    assert len(small.actions("status")) == sent == 3


def test_a_refusal_in_a_block_that_is_gone_is_no_refusal(small: AnchoringRig, anvil: Anvil) -> None:
    """When the chain forgets what stood against a change, the change is asked for again."""
    small.paper.change(3, REVOKED)
    small.paper.change(3, SUSPENDED)
    small.settle(most=40)
    assert small.alarms() == {AlarmCode.STATUS_REFUSED}
    anvil.reorganize(3)
    small.step()
    assert waiting(small) == 2
    small.settle(most=60)
    assert states_told(small, 3) == [REVOKED]
    assert small.alarms() == {AlarmCode.STATUS_REFUSED}


def test_many_changes_drain_without_starving_checkpoints(anvil: Anvil, tmp_path: Path) -> None:
    """While a backlog drains a few at a time, a new checkpoint is in the next block; nothing is made twice."""
    rig = certificates(anvil, tmp_path, max_in_flight=8, confirmations=1)
    rig.paper.grow(60)
    for record in range(50):
        rig.paper.change(record, REVOKED)
    anvil.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON-RPC's order
    most_waiting, left, grown_at, published_after = 0, [50], 0, 0
    for _ in range(120):
        done = rig.step()
        most_waiting = max(most_waiting, done.waiting)
        anvil.mine()
        left.append(waiting(rig))
        if grown_at and rig.heads_on_chain()[-1].size == len(rig.paper.leaves):
            published_after = published_after or len(left) - grown_at
        if not grown_at and 0 < left[-1] <= 30:
            rig.paper.grow(1)
            grown_at = len(left)
        if not done.to_mirror and not done.waiting and not left[-1]:
            break
    assert left[-1] == 0
    assert most_waiting <= 8
    assert [states_told(rig, record) for record in range(50)] == [[REVOKED]] * 50
    assert published_after == 1
    rig.close()


@pytest.mark.parametrize("step", ["chain.plan", "chain.broadcast", "chain.observe"])
@pytest.mark.parametrize("action", ["fail", "fail-done"])
def test_a_fault_at_each_step_leaves_every_change_made_once(
    small: AnchoringRig, anvil: Anvil, step: str, action: str
) -> None:
    """After a fault that was or was not done, and a restart, each change stands in the contract once."""
    for record in range(6):
        small.paper.change(record, SUSPENDED if record % 2 else REVOKED)
    faults = 0
    for passage in range(1, 5):
        failpoints.arm(f"{step}={action}:{passage}")
        try:
            small.settle(most=20)
        except (InjectedFaultError, LedgerError):
            faults += 1
            small.database.close()
            small = AnchoringRig(anvil.url, small.database_url, papers=small.logs)
        finally:
            failpoints.disarm()
        small.paper.change(passage + 5, REVOKED)
    small.settle(most=40)
    assert faults > 0
    expected = {record: [SUSPENDED if record % 2 else REVOKED] for record in range(6)}
    expected |= {record: [REVOKED] for record in range(6, 10)}
    assert {record: states_told(small, record) for record in range(10)} == expected
    assert (waiting(small), small.alarms()) == (0, set())
    small.close()


def test_what_a_lost_table_forgot_is_found_in_the_contract(small: AnchoringRig) -> None:
    """With an older database the events tell what is there already; nothing is sent again."""
    for state in (SUSPENDED, ACTIVE, REVOKED):
        small.paper.change(3, state)
    small.settle(most=40)
    with small.database.read() as conn:
        before = changes_of(conn, small.paper.number, 3)
    with small.database.write("chain.observe") as conn:
        conn.execute(delete(status_mirrors))
        conn.execute(delete(status_cursors))
    sent = len(small.actions("status"))
    small.settle(most=40)
    with small.database.read() as conn:
        assert changes_of(conn, small.paper.number, 3) == before
    assert len(small.actions("status")) == sent == 3


def test_an_idle_look_costs_the_same_however_many_changes_there_were(
    anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to mirror the node is asked the same few questions after one change and after sixty."""
    rig = certificates(anvil, tmp_path, confirmations=1)
    asked: list[str] = []
    ask = rig.node.rpc.__class__.ask

    def count(rpc: Any, method: str, *params: object) -> Any:
        asked.append(method)
        return ask(rpc, method, *params)

    monkeypatch.setattr(rig.node.rpc.__class__, "ask", count)
    rig.paper.grow(60).change(0, REVOKED)
    costs = []
    for record in range(1, 61):
        if record in {1, 60}:
            rig.settle(most=80)
            asked.clear()
            rig.step()
            costs.append(sorted(asked))
        rig.paper.change(record, REVOKED)
    assert costs[0] == costs[1]
    assert "eth_getLogs" not in costs[0]
    rig.close()


def test_the_questions_to_the_database_use_its_indexes(small: AnchoringRig) -> None:
    """What is asked at each look is answered by an index, so that a million old changes cost nothing."""
    queries: list[str] = []
    with small.database.read() as conn:
        for query in (
            select(status_mirrors).where(status_mirrors.c.outcome.is_(None), status_mirrors.c.contract == 1),
            select(status_mirrors.c.block_number)
            .where(status_mirrors.c.contract == 1, status_mirrors.c.block_number < 9)
            .order_by(status_mirrors.c.block_number.desc()),
        ):
            text = str(query.compile(compile_kwargs={"literal_binds": True}))
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
            queries += [str(row[-1]) for row in plan]
    assert all("USING" in line and "INDEX" in line for line in queries), queries


def test_an_audit_finds_where_log_and_contract_disagree(small: AnchoringRig) -> None:
    """A state without a word in the log, and another one than the log's, are each found, with the entry."""
    small.paper.change(3, SUSPENDED)
    small.paper.change(4, REVOKED)
    small.settle(most=40)
    report = audited(small)
    assert (report.clean, report.looked_at["contract states"]) == (True, 2)
    small.paper.changes[0] = replace(small.paper.changes[0], state=REVOKED)
    del small.paper.changes[1]
    found = audited(small).findings
    assert sorted(each.code for each in found) == ["state_differs", "state_unexplained"]
    assert {each.where for each in found} == {f"{small.paper.origin} entry {index}" for index in (3, 4)}


def test_an_audit_tells_a_lost_state_from_one_that_waits(small: AnchoringRig, anvil: Anvil) -> None:
    """What the chain forgot after it was seen is missing; once the anchorer knows, it waits, and that is no damage."""
    small.paper.change(3, REVOKED)
    small.settle(most=40)
    anvil.reorganize(1)
    assert [each.code for each in audited(small).findings] == ["state_missing"]
    small.step()
    report = audited(small)
    assert report.clean
    assert sum(report.looked_at.values()) == 1


def test_an_audit_finds_what_an_operator_changed_by_hand(small: AnchoringRig) -> None:
    """The publisher's key can change a state without the log; the audit tells."""
    contract, now = small.contract(CERTIFICATES), small.node.newest()
    log_id = contract.find_log(small.account.address, small.paper.origin, at=now)
    assert log_id is not None
    head = contract.all_heads(log_id, at=now)[-1].head
    record, explanation = (
        ProvenEntry(index, *small.logs.prove_entry(small.paper.number, index, head.size)) for index in (3, 5)
    )
    call = contract.change_status(
        log_id, head=head, record=record, explanation=explanation, state=REVOKED, reason=2
    )
    small.anchorer.ask("change", call, log=small.paper.number)
    small.settle(most=20)
    assert [each.code for each in audited(small).findings] == ["state_unexplained"]
