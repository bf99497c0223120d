"""The status of a record in every kind of log: proven, explained, changed as the kind allows and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_utils.crypto import keccak

from scripts.compile_contracts import DEPLOYED
from tests.contracts.evm import RevertedError, artifact
from tests.contracts.logs import OPENER, PUBLISHER, STRANGER, LogDriver
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Evm, Mined
    from tests.contracts.logs import ProvenEntry

STATES: Final = range(6)
ACTIVE, SUSPENDED, REVOKED, REFUNDED, SUPERSEDED, WITHDRAWN = STATES
NEVER_CHANGED: Final = (ACTIVE, 0, 0, 0, bytes(32))
# Which changes each kind of log has, from each state that a record in it can have.
RULES: Final = {
    "PurchaseLedger": {ACTIVE: {REFUNDED, SUPERSEDED}, REFUNDED: set(), SUPERSEDED: set()},
    "CertificateRegistry": {
        ACTIVE: {SUSPENDED, REVOKED, SUPERSEDED},
        SUSPENDED: {ACTIVE, REVOKED, SUPERSEDED},
        REVOKED: set(),
        SUPERSEDED: set(),
    },
    "DataNotary": {ACTIVE: {SUPERSEDED, WITHDRAWN}, SUPERSEDED: set(), WITHDRAWN: set()},
}
ALL_CHANGES: Final = [(kind, state, to) for kind, rules in RULES.items() for state in rules for to in STATES]


@pytest.fixture(scope="session")
def contracts(evm: Evm, ledger: Deployed) -> dict[str, Deployed]:
    """One contract of each kind."""
    others = [name for name in DEPLOYED if name != "PurchaseLedger"]
    made = {name: evm.deploy(artifact(name), [evm.account(OPENER)]) for name in others}
    return {"PurchaseLedger": ledger, **made}


def opened(contract: Deployed) -> LogDriver:
    """A new log without a head, over a tree of a hundred entries."""
    driver = LogDriver(contract, tree_of(100))
    driver.open()
    return driver


@pytest.fixture(params=sorted(DEPLOYED))
def log(contracts: dict[str, Deployed], request: pytest.FixtureRequest) -> LogDriver:
    """A new log in each kind of contract."""
    return opened(contracts[request.param])


@pytest.fixture
def anchored(log: LogDriver) -> LogDriver:
    """A log with two heads in each kind of contract."""
    log.publish(50)
    log.publish(100)
    return log


def change(  # noqa: D103 - the contract's own call
    log: LogDriver,
    record: ProvenEntry,
    explanation: ProvenEntry,
    *,
    state: int = SUPERSEDED,  # the one change that every kind has
    reason: int = 1,
    sender: int = PUBLISHER,
) -> Mined:
    arguments = (log.log_id, log.head, record, explanation, state, reason)
    return log.contract.send("changeStatus", *arguments, sender=sender)


def refused(log: LogDriver, *arguments: Any, **options: Any) -> tuple[str, dict[str, Any]]:
    """The error of a change; the record is as it was."""
    with pytest.raises(RevertedError) as caught:
        change(log, *arguments, **options)
    return caught.value.name, caught.value.values


def status_of(log: LogDriver, index: int) -> Any:
    """A record's status at the newest head."""
    return log.contract.view("statusOf", log.log_id, log.head, log.entry(index))


def test_change_is_kept_with_time_reason_and_explanation(anchored: LogDriver) -> None:
    """State, block time, reason code and the explaining entry are kept and announced."""
    assert status_of(anchored, 7) == NEVER_CHANGED
    mined = change(anchored, anchored.entry(7), anchored.entry(60), reason=65535)
    leaf = anchored.tree.leaves[60]
    assert status_of(anchored, 7) == (SUPERSEDED, mined.time, 65535, 60, leaf)
    values = {
        "logId": anchored.log_id,
        "index": 7,
        "state": SUPERSEDED,
        "previousState": ACTIVE,
        "leaf": anchored.tree.leaves[7],
        "reason": 65535,
        "since": mined.time,
        "explanationIndex": 60,
        "explanationLeaf": leaf,
    }
    assert mined.events == [("StatusChanged", values)]
    assert status_of(anchored, 8) == NEVER_CHANGED


def test_status_is_the_same_at_every_head_that_covers_the_record(log: LogDriver) -> None:
    """A status is asked for with any accepted head that has the record, and with none that has not."""
    log.publish(50)
    early = log.head
    log.publish(100)
    mined = change(log, log.entry(7), log.entry(60))
    record = log.entry(7, early[0])
    assert log.contract.view("statusOf", log.log_id, early, record)[:2] == (SUPERSEDED, mined.time)
    assert status_of(log, 7)[:2] == (SUPERSEDED, mined.time)
    with pytest.raises(RevertedError, match="EntryOutOfRange"):
        log.contract.view("statusOf", log.log_id, early, log.entry(60))


@pytest.mark.parametrize(("kind", "state", "to"), ALL_CHANGES)
def test_each_kind_has_its_changes_and_no_other(
    contracts: dict[str, Deployed], kind: str, state: int, to: int
) -> None:
    """From each state a record can have, each change that the kind has is made, and each other one refused."""
    log = opened(contracts[kind])
    log.publish(100)
    if state != ACTIVE:
        change(log, log.entry(7), log.entry(8), state=state)
    before = status_of(log, 7)
    if to in RULES[kind][state]:
        mined = change(log, log.entry(7), log.entry(60), state=to, reason=2)
        assert mined.events[0][1]["previousState"] == state
        assert status_of(log, 7) == (to, mined.time, 2, 60, log.tree.leaves[60])
        return
    values = {"logId": log.log_id, "index": 7, "from": state, "to": to}
    assert refused(log, log.entry(7), log.entry(60), state=to) == ("ChangeNotAllowed", values)
    assert status_of(log, 7) == before


@pytest.mark.parametrize("kind", RULES)
def test_every_state_of_the_rules_is_reached(kind: str) -> None:
    """The rules above name every state that a record of a kind can get into, and those only."""
    rules = RULES[kind]
    assert {to for allowed in rules.values() for to in allowed} | {ACTIVE} == set(rules)
    assert set(RULES) == set(DEPLOYED)


def test_certificate_is_suspended_and_reinstated_any_number_of_times(contracts: dict[str, Deployed]) -> None:
    """A reinstated certificate is active again, with the time and the reason of that, and may be suspended anew."""
    log = opened(contracts["CertificateRegistry"])
    log.publish(100)
    for round_ in range(3):
        change(log, log.entry(7), log.entry(60 + 2 * round_), state=SUSPENDED)
        mined = change(log, log.entry(7), log.entry(61 + 2 * round_), state=ACTIVE, reason=9)
        leaf = log.tree.leaves[61 + 2 * round_]
        assert status_of(log, 7) == (ACTIVE, mined.time, 9, 61 + 2 * round_, leaf)
    change(log, log.entry(7), log.entry(70), state=REVOKED)
    assert refused(log, log.entry(7), log.entry(71), state=ACTIVE)[0] == "ChangeNotAllowed"


def test_states_beyond_the_last_do_not_exist(anchored: LogDriver) -> None:
    """A number that names no state is refused."""
    data = anchored.contract.artifact.encode_call(
        "changeStatus", anchored.log_id, anchored.head, anchored.entry(7), anchored.entry(60), 5, 0
    )
    position = 4 + 32 * 7  # logId, head (4), two offsets
    beyond = data[: position + 31] + b"\x06" + data[position + 32 :]
    with pytest.raises(RevertedError):
        anchored.contract.transact(beyond, sender=PUBLISHER)
    assert status_of(anchored, 7) == NEVER_CHANGED


def test_only_the_publisher_changes_status(anchored: LogDriver) -> None:
    """Not the opener and no stranger."""
    for sender in (OPENER, STRANGER):
        error = refused(anchored, anchored.entry(7), anchored.entry(60), sender=sender)
        assert error[0] == "NotPublisher"
    assert status_of(anchored, 7) == NEVER_CHANGED


def test_the_record_must_be_in_the_log(anchored: LogDriver) -> None:
    """A record that is not proven has no status: neither to change nor to ask for."""
    index, leaf, path = anchored.entry(7)
    for record in (
        (index, keccak(b"other"), path),
        (8, leaf, path),
        (index, leaf, path[:-1]),
        (100, leaf, path),
    ):
        error = refused(anchored, record, anchored.entry(60))
        assert error[0] in {"RootMismatch", "PathTooShort", "EntryOutOfRange"}
        with pytest.raises(RevertedError) as caught:
            anchored.contract.view("statusOf", anchored.log_id, anchored.head, record)
        assert caught.value.name == error[0]


def test_the_explanation_must_be_in_the_log(anchored: LogDriver) -> None:
    """A change is explained by an entry that is proven as well."""
    index, leaf, path = anchored.entry(60)
    for explanation in ((index, keccak(b"other"), path), (61, leaf, path), (index, leaf, ())):
        error = refused(anchored, anchored.entry(7), explanation)
        assert error[0] in {"RootMismatch", "PathTooShort"}
    assert status_of(anchored, 7) == NEVER_CHANGED


@pytest.mark.parametrize("explanation", [0, 6, 7])
def test_the_explanation_comes_later(anchored: LogDriver, explanation: int) -> None:
    """No entry explains itself or what came after it."""
    values = {"logId": anchored.log_id, "index": 7, "explanationIndex": explanation}
    error = refused(anchored, anchored.entry(7), anchored.entry(explanation))
    assert error == ("ExplanationNotLater", values)
    assert change(anchored, anchored.entry(7), anchored.entry(8)).events[0][0] == "StatusChanged"


def test_the_head_must_be_accepted(anchored: LogDriver) -> None:
    """Neither change nor question is answered under a head that the contract never accepted."""
    size, root, time, previous = anchored.head
    anchored.head = (size, root, time, previous + 1)
    assert refused(anchored, anchored.entry(7), anchored.entry(60))[0] == "UnacceptedHead"
    with pytest.raises(RevertedError, match="UnacceptedHead"):
        status_of(anchored, 7)


def test_status_belongs_to_one_log(anchored: LogDriver) -> None:
    """The same entries in another log have a status of their own."""
    other = LogDriver(anchored.contract, tree_of(100))
    other.open()
    other.publish(100)
    change(anchored, anchored.entry(7), anchored.entry(60))
    assert status_of(other, 7) == NEVER_CHANGED
    with pytest.raises(RevertedError, match="UnacceptedHead"):
        anchored.contract.view("statusOf", other.log_id, anchored.head, anchored.entry(7))
