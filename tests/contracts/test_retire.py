"""A log ends in one contract and goes on in another, without a gap that a forged history could use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.evm import RevertedError, artifact
from tests.contracts.logs import NO_HEAD, NO_LOG, OPENER, PUBLISHER, STRANGER, HeadKey, LogDriver
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Evm, Mined
    from tests.contracts.logs import LogReference, SignedCheckpoint

OTHER_KEY = HeadKey(b"\x33" * 32)
OTHER_ROOT = keccak(b"another root")
SOMEWHERE = (11155111, "0x" + "5a" * 20, b"\x5b" * 32)


@pytest.fixture(scope="module")
def next_ledger(evm: Evm) -> Deployed:
    """A second contract, as a later version would be."""
    return evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])


def open_successor(
    contract: Deployed, old: LogDriver, *, carried: SignedCheckpoint, previous: LogReference | None = None
) -> Mined:
    """Open a continuation of a log."""
    publisher = contract.evm.account(PUBLISHER)
    reference = old.reference() if previous is None else previous
    return contract.send("openSuccessor", old.origin, publisher, old.key.address, reference, carried)


def error_of(contract: Deployed, *call: Any, sender: int = PUBLISHER) -> tuple[str, dict[str, Any]]:
    """The error of a transaction."""
    with pytest.raises(RevertedError) as caught:
        contract.send(*call, sender=sender)
    return caught.value.name, caught.value.values


def test_log_goes_on_in_a_new_contract(log: LogDriver, next_ledger: Deployed) -> None:
    """The head is carried over, the old log is closed, and new checkpoints are proven from the old head."""
    for size in (10, 40):
        log.publish(size)
    mined = open_successor(next_ledger, log, carried=log.signed(40))
    (opened, continued, accepted) = mined.events
    log_id, root = opened[1]["logId"], log.tree.root(40)
    assert [opened[0], opened[1]["origin"]] == ["LogOpened", log.origin]
    chain_id, anchor, old_id = log.reference()
    before = {"chainId": chain_id, "anchor": anchor.lower(), "previousLogId": old_id}
    assert continued == ("LogContinued", {"logId": log_id, **before, "size": 40, "root": root})
    head = {"logId": log_id, "size": 40, "root": root, "time": mined.time, "previousSize": 0}
    assert accepted == ("HeadAccepted", head)
    assert next_ledger.view("logState", log_id)[2:] == (40, mined.time, log.key.address.lower(), 40, False)

    heir = LogDriver(next_ledger, log.tree, log.key, log.origin, log_id, (40, root, mined.time, 0))
    closed = log.retire(heir.reference())
    to_chain, to_anchor, _ = heir.reference()
    successor = {"chainId": to_chain, "anchor": to_anchor.lower(), "successorLogId": log_id}
    assert closed.events == [("LogRetired", {"logId": log.log_id, "size": 40, **successor})]
    assert log.contract.view("successorOf", log.log_id) == (to_chain, to_anchor.lower(), log_id)

    heir.publish(75)
    heir.publish(100)
    for index in (0, 39, 40, 99):
        assert next_ledger.view("verifyInclusion", log_id, heir.head, heir.entry(index)) == ()
    assert log.contract.view("verifyInclusion", log.log_id, log.head, log.entry(39)) == ()


def test_continuation_cannot_change_the_past(log: LogDriver, next_ledger: Deployed) -> None:
    """In the new contract, too, a checkpoint that does not contain the carried head is refused."""
    log.publish(40)
    mined = open_successor(next_ledger, log, carried=log.signed(40))
    head = (40, log.tree.root(40), mined.time, 0)
    heir = LogDriver(next_ledger, log.tree, log.key, log.origin, mined.events[0][1]["logId"], head)
    leaves = list(log.tree.leaves)
    leaves[39] = leaves[0]
    forged = type(log.tree)(leaves)
    with pytest.raises(RevertedError, match="RootMismatch"):
        heir.offer(heir.signed(60, forged.root(60)), forged.consistency(40, 60))
    with pytest.raises(RevertedError, match="StaleHead"):
        heir.offer(heir.signed(60, forged.root(60)), (), accepted=NO_HEAD)
    assert heir.publish(60).events[0][1]["previousSize"] == 40


def test_carried_head_is_signed_by_the_head_key(log: LogDriver, next_ledger: Deployed) -> None:
    """A continuation starts only from a checkpoint that the head key signed for this origin."""
    log.publish(40)
    root = log.tree.root(40)
    for carried in (
        OTHER_KEY.sign(log.origin, 40, root),
        log.key.sign("another origin", 40, root),
        (40, OTHER_ROOT, *log.signed(40)[2:]),
        (39, root, *log.signed(40)[2:]),
    ):
        with pytest.raises(RevertedError, match="WrongHeadKey"):
            open_successor(next_ledger, log, carried=carried)


@pytest.mark.parametrize(
    ("size", "root", "error"),
    [
        (0, OTHER_ROOT, "SizeOutOfRange"),
        (2**53, OTHER_ROOT, "SizeOutOfRange"),
        (2**53 - 1, OTHER_ROOT, None),
        (1, OTHER_ROOT, None),
        (5, bytes(32), "ZeroRoot"),
    ],
)
def test_carried_head_is_that_of_a_tree(
    log: LogDriver, next_ledger: Deployed, size: int, root: bytes, error: str | None
) -> None:
    """The carried size is 1 to 2^53-1, far or near, and the root is not zero."""
    carried = log.key.sign(log.origin, size, root)
    if error is None:
        assert open_successor(next_ledger, log, carried=carried).events[2][1]["size"] == size
        return
    with pytest.raises(RevertedError, match=error):
        open_successor(next_ledger, log, carried=carried)


def test_continuation_names_what_it_continues(log: LogDriver, next_ledger: Deployed) -> None:
    """Chain, contract and log id of the log before are all needed."""
    log.publish(40)
    chain_id, anchor, log_id = log.reference()
    for previous in ((0, anchor, log_id), (chain_id, NO_LOG[1], log_id), (chain_id, anchor, bytes(32))):
        with pytest.raises(RevertedError) as caught:
            open_successor(next_ledger, log, carried=log.signed(40), previous=previous)
        values = {"chainId": previous[0], "anchor": previous[1].lower(), "logId": previous[2]}
        assert (caught.value.name, caught.value.values) == ("PredecessorMissing", values)


def test_retired_log_takes_nothing_more(log: LogDriver) -> None:
    """After retirement there are no heads, no status and no second retirement, and reading goes on."""
    log.publish(40)
    assert log.contract.view("logState", log.log_id)[6] is False
    signature = log.key.sign_digest(log.retirement_digest(SOMEWHERE))
    log.retire(SOMEWHERE)
    assert log.contract.view("logState", log.log_id)[6] is True
    refusals = [
        ("publish", log.log_id, log.head, log.signed(60), log.path_to(60)),
        ("publish", log.log_id, log.head, log.signed(40), ()),
        ("retire", log.log_id, SOMEWHERE, *signature),
        ("changeStatus", log.log_id, log.head, log.entry(1), log.entry(2), 3, 0),
    ]
    for call in refusals:
        assert error_of(log.contract, *call) == ("RetiredLog", {"logId": log.log_id, "size": 40})
    assert log.contract.view("verifyHead", log.log_id, log.head) == ()
    assert log.contract.view("statusOf", log.log_id, log.head, log.entry(1))[0] == 0
    assert log.contract.view("successorOf", log.log_id) == SOMEWHERE


def test_log_may_end_without_successor(log: LogDriver) -> None:
    """A log can be closed for good, with or without a head."""
    values = {"logId": log.log_id, "size": 0, "chainId": 0, "anchor": NO_LOG[1], "successorLogId": bytes(32)}
    assert log.contract.view("successorOf", log.log_id) == NO_LOG
    assert log.retire().events == [("LogRetired", values)]
    assert log.contract.view("successorOf", log.log_id) == NO_LOG


def test_retirement_needs_publisher_and_head_key(log: LogDriver) -> None:
    """Neither the publisher alone nor the head key alone can close a log."""
    log.publish(40)
    for sender in (OPENER, STRANGER):
        with pytest.raises(RevertedError, match="NotPublisher"):
            log.retire(sender=sender)
    signature = OTHER_KEY.sign_digest(log.retirement_digest())
    values = {"logId": log.log_id, "signer": OTHER_KEY.address.lower(), "headKey": log.key.address.lower()}
    call = ("retire", log.log_id, NO_LOG, *signature)
    assert error_of(log.contract, *call) == ("WrongHeadKey", values)
    assert log.contract.view("logState", log.log_id)[6] is False


def test_retirement_is_bound_to_size_successor_log_and_contract(
    log: LogDriver, next_ledger: Deployed
) -> None:
    """A signature for another size, successor, log or contract closes nothing."""
    log.publish(10)
    early = log.key.sign_digest(log.retirement_digest())
    log.publish(40)
    elsewhere = log.key.sign_digest(log.retirement_digest(SOMEWHERE))
    sibling = LogDriver(log.contract, tree_of(100))
    sibling.open()
    sibling.publish(40)
    for signature in (early, elsewhere, log.key.sign_digest(sibling.retirement_digest())):
        with pytest.raises(RevertedError, match="WrongHeadKey"):
            log.contract.send("retire", log.log_id, NO_LOG, *signature, sender=PUBLISHER)
    other_contract = LogDriver(next_ledger, log.tree, log.key, log.origin, log.log_id, log.head)
    signature = log.key.sign_digest(other_contract.retirement_digest())
    with pytest.raises(RevertedError, match="WrongHeadKey"):
        log.contract.send("retire", log.log_id, NO_LOG, *signature, sender=PUBLISHER)


def test_retirement_digest_is_eip712_in_the_contracts_domain(log: LogDriver) -> None:
    """What the head key signs is EIP-712 as eth_account reads it, bound to chain and contract."""
    log.publish(40)
    for successor in (NO_LOG, SOMEWHERE):
        expected = log.retirement_digest(successor)
        assert log.contract.view("retirementDigest", log.log_id, successor) == expected
