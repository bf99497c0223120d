"""A log gets another head key or another publisher, and what the old ones do afterwards is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.evm import RevertedError, artifact
from tests.contracts.logs import NO_LOG, OPENER, PUBLISHER, STRANGER, HeadKey, LogDriver
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Evm

NEW_KEY = HeadKey(b"\x44" * 32)
NEWER_KEY = HeadKey(b"\x55" * 32)


@pytest.fixture(scope="module")
def other_ledger(evm: Evm) -> Deployed:
    """A second contract."""
    return evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])


def error_of(contract: Deployed, *call: Any, sender: int = PUBLISHER) -> tuple[str, dict[str, Any]]:
    """The error of a transaction."""
    with pytest.raises(RevertedError) as caught:
        contract.send(*call, sender=sender)
    return caught.value.name, caught.value.values


def test_head_key_is_replaced_at_the_accepted_size(log: LogDriver) -> None:
    """From the accepted size on only the new key signs; heads accepted before stay proven."""
    log.publish(40)
    old, before = log.key, log.head
    publisher = log.contract.evm.account(PUBLISHER).lower()
    mined = log.rotate(key=NEW_KEY)
    told = {"logId": log.log_id, "size": 40, "publisher": publisher, "headKey": NEW_KEY.address.lower()}
    assert mined.events == [("LogRotated", told)]
    state = log.contract.view("logState", log.log_id)
    assert state[1:3] == (publisher, 40)
    assert state[4:] == (NEW_KEY.address.lower(), 40, False)
    late = old.sign(log.origin, 60, log.tree.root(60))
    values = {"logId": log.log_id, "signer": old.address.lower(), "headKey": NEW_KEY.address.lower()}
    call = ("publish", log.log_id, log.head, late, log.path_to(60))
    assert error_of(log.contract, *call) == ("WrongHeadKey", values)
    log.publish(60)
    assert log.contract.view("verifyInclusion", log.log_id, before, log.entry(39, 40)) == ()
    assert log.contract.view("logState", log.log_id)[5] == 40


def test_accepted_head_may_be_offered_again_after_a_rotation(log: LogDriver) -> None:
    """A repeated publication of the head at which the key changed still does no harm."""
    log.publish(40)
    again = log.signed(40)
    log.rotate(key=NEW_KEY)
    assert log.offer(again, ()).events == []


def test_head_key_may_be_replaced_twice_at_one_size_and_before_the_first_head(log: LogDriver) -> None:
    """A key that signed nothing is replaced like any other."""
    log.rotate(key=NEW_KEY)
    assert log.contract.view("logState", log.log_id)[5] == 0
    log.rotate(key=NEWER_KEY)
    log.publish(10)
    log.rotate(key=NEW_KEY)
    log.rotate(key=NEWER_KEY)
    log.publish(20)
    assert log.contract.view("logState", log.log_id)[4:6] == (NEWER_KEY.address.lower(), 10)


def test_publisher_is_replaced(log: LogDriver) -> None:
    """The new publisher may do everything the old one could, and the old one nothing; the key's window stays."""
    log.publish(10)
    log.rotate(publisher=STRANGER)
    new, old = (log.contract.evm.account(each).lower() for each in (STRANGER, PUBLISHER))
    state = log.contract.view("logState", log.log_id)
    assert (state[1], *state[4:6]) == (new, log.key.address.lower(), 0)
    refused = ("NotPublisher", {"logId": log.log_id, "caller": old, "publisher": new})
    assert error_of(log.contract, "publish", log.log_id, log.head, log.signed(40), log.path_to(40)) == refused
    assert log.offer(log.signed(40), log.path_to(40), sender=STRANGER).events[0][0] == "HeadAccepted"
    log.head = replace_head(log, 40)
    log.rotate(publisher=PUBLISHER, sender=STRANGER)
    log.publish(60)


def replace_head(log: LogDriver, size: int) -> tuple[int, bytes, int, int]:
    """The head that was accepted last at a size."""
    return (size, log.tree.root(size), log.contract.view("logState", log.log_id)[3], log.head[0])


def test_rotation_needs_publisher_and_head_key(log: LogDriver) -> None:
    """Neither the publisher alone, nor the head key alone, nor the new key can take a log over."""
    log.publish(40)
    for sender in (OPENER, STRANGER):
        with pytest.raises(RevertedError, match="NotPublisher"):
            log.rotate(key=NEW_KEY, sender=sender)
    assert log.key != NEW_KEY
    account = log.contract.evm.account(PUBLISHER)
    signature = NEW_KEY.sign_digest(log.rotation_digest(account, NEW_KEY.address))
    values = {"logId": log.log_id, "signer": NEW_KEY.address.lower(), "headKey": log.key.address.lower()}
    call = ("rotate", log.log_id, account, NEW_KEY.address, *signature)
    assert error_of(log.contract, *call) == ("WrongHeadKey", values)


def test_rotation_needs_a_publisher_and_a_head_key(log: LogDriver) -> None:
    """A log is never left without either."""
    nobody, account = NO_LOG[1], log.contract.evm.account(PUBLISHER)
    for publisher, head_key in ((nobody, NEW_KEY.address), (account, nobody)):
        signature = log.key.sign_digest(log.rotation_digest(publisher, head_key))
        values = {"publisher": publisher.lower(), "headKey": head_key.lower()}
        call = ("rotate", log.log_id, publisher, head_key, *signature)
        assert error_of(log.contract, *call) == ("LogKeyMissing", values)


def test_rotation_is_bound_to_everything_it_says(log: LogDriver, other_ledger: Deployed) -> None:
    """A signature for another size, publisher, key, log or contract changes nothing."""
    account, stranger = (log.contract.evm.account(each) for each in (PUBLISHER, STRANGER))
    log.publish(10)
    early = log.rotation_digest(account, NEW_KEY.address)
    log.publish(40)
    sibling = LogDriver(log.contract, tree_of(100))
    sibling.open()
    sibling.publish(40)
    elsewhere = replace(log, contract=other_ledger)
    wrong = (
        early,
        log.rotation_digest(stranger, NEW_KEY.address),
        log.rotation_digest(account, NEWER_KEY.address),
        sibling.rotation_digest(account, NEW_KEY.address),
        elsewhere.rotation_digest(account, NEW_KEY.address),
    )
    for digest in wrong:
        call = ("rotate", log.log_id, account, NEW_KEY.address, *log.key.sign_digest(digest))
        assert error_of(log.contract, *call)[0] == "WrongHeadKey"
    assert log.contract.view("logState", log.log_id)[4] == log.key.address.lower()


def test_retired_log_keeps_its_keys(log: LogDriver) -> None:
    """After retirement nothing is rotated any more."""
    log.publish(40)
    log.retire()
    with pytest.raises(RevertedError, match="RetiredLog"):
        log.rotate(key=NEW_KEY)


def test_rotation_digest_is_eip712_in_the_contracts_domain(log: LogDriver) -> None:
    """What the head key signs is EIP-712 as eth_account reads it, bound to chain and contract."""
    log.publish(40)
    account = log.contract.evm.account(STRANGER)
    expected = log.rotation_digest(account, NEW_KEY.address)
    assert log.contract.view("rotationDigest", log.log_id, account, NEW_KEY.address) == expected
