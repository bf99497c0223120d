"""Who may open a log, what an opened log is, and that its id is nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.evm import RevertedError, artifact
from tests.contracts.logs import OPENER, PUBLISHER, STRANGER, HeadKey
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Evm
    from tests.contracts.logs import LogDriver

KEY = HeadKey(b"\x22" * 32).address
NOBODY = "0x" + "00" * 20
OPENER_ROLE = keccak(b"OPENER_ROLE")


def test_log_id_is_bound_to_chain_contract_opener_and_nonce(evm: Evm, ledger: Deployed) -> None:
    """The id is what design section 6 says, so no id can be taken by somebody else or twice."""
    opener, origin = evm.account(OPENER), "ledger.example/logs/bound/purchases"
    ids = []
    for _ in range(2):
        nonce = ledger.view("openerNonce", opener)
        fields = [evm.chain_id, ledger.address, opener, keccak(text=origin), nonce]
        expected = keccak(encode(["uint256", "address", "address", "bytes32", "uint64"], fields))
        assert ledger.view("logIdOf", opener, origin, nonce) == expected
        ((name, values),) = ledger.send("open", origin, evm.account(PUBLISHER), KEY).events
        assert (name, values["logId"], values["openerNonce"]) == ("LogOpened", expected, nonce)
        ids.append(expected)
    assert ids[0] != ids[1]
    assert ledger.view("openerNonce", evm.account(STRANGER)) == 0


def test_opened_log_is_announced_and_empty(evm: Evm, ledger: Deployed) -> None:
    """The event names all that a trust file needs; the log has no head and is not retired."""
    origin = "ledger.example/logs/announced/purchases"
    ((_, values),) = ledger.send("open", origin, evm.account(PUBLISHER), KEY).events
    publisher, opener = evm.account(PUBLISHER).lower(), evm.account(OPENER).lower()
    assert values["origin"] == origin
    assert values["originHash"] == keccak(text=origin)
    assert (values["opener"], values["publisher"], values["headKey"]) == (opener, publisher, KEY.lower())
    state = (keccak(text=origin), publisher, 0, 0, KEY.lower(), 0, False)
    assert ledger.view("logState", values["logId"]) == state
    assert ledger.view("headHash", values["logId"], 0) == bytes(32)


def test_opening_needs_the_opener_role(evm: Evm, ledger: Deployed) -> None:
    """An account without the role opens nothing, neither a new log nor a continuation."""
    publisher = evm.account(PUBLISHER)
    previous = (1, publisher, b"\1" * 32)
    signed = HeadKey(b"\x22" * 32).sign("o", 5, tree_of(100).root(5))
    for name, more in [("open", ()), ("openSuccessor", (previous, signed))]:
        with pytest.raises(RevertedError) as caught:
            ledger.send(name, "o", publisher, KEY, *more, sender=STRANGER)
        assert caught.value.name == "AccessControlUnauthorizedAccount"
        expected = {"account": evm.account(STRANGER).lower(), "neededRole": OPENER_ROLE}
        assert caught.value.values == expected


def test_openers_admit_and_dismiss_openers_and_nobody_else_does(evm: Evm) -> None:
    """The role administers itself; the default administrator role has no member and can never get one."""
    contract = evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER), evm.account(PUBLISHER)])
    stranger = evm.account(STRANGER)
    assert contract.view("OPENER_ROLE") == OPENER_ROLE
    assert contract.view("getRoleAdmin", OPENER_ROLE) == OPENER_ROLE
    for role in (OPENER_ROLE, bytes(32)):
        with pytest.raises(RevertedError, match="AccessControlUnauthorizedAccount"):
            contract.send("grantRole", role, stranger, sender=STRANGER)
    for sender in (OPENER, PUBLISHER):
        assert contract.view("hasRole", OPENER_ROLE, evm.account(sender)) is True
        assert contract.view("hasRole", bytes(32), evm.account(sender)) is False
        with pytest.raises(RevertedError, match="AccessControlUnauthorizedAccount"):
            contract.send("grantRole", bytes(32), evm.account(sender), sender=sender)
    contract.send("grantRole", OPENER_ROLE, stranger, sender=PUBLISHER)
    assert contract.send("open", "o", stranger, KEY, sender=STRANGER).events[0][0] == "LogOpened"
    contract.send("revokeRole", OPENER_ROLE, stranger, sender=OPENER)
    with pytest.raises(RevertedError, match="AccessControlUnauthorizedAccount"):
        contract.send("open", "o", stranger, KEY, sender=STRANGER)


@pytest.mark.parametrize(("length", "allowed"), [(0, False), (1, True), (255, True), (256, False)])
def test_origin_length(evm: Evm, ledger: Deployed, length: int, allowed: bool) -> None:  # noqa: FBT001 - a case
    """An origin has 1 to 255 bytes."""
    arguments = ("open", "o" * length, evm.account(PUBLISHER), KEY)
    if allowed:
        assert ledger.send(*arguments).events[0][1]["origin"] == "o" * length
        return
    with pytest.raises(RevertedError) as caught:
        ledger.send(*arguments)
    assert (caught.value.name, caught.value.values) == ("OriginLengthOutOfRange", {"length": length})


def test_log_needs_both_keys(evm: Evm, ledger: Deployed) -> None:
    """Without a publisher or without a head key there is no log."""
    for publisher, key in [(NOBODY, KEY), (evm.account(PUBLISHER), NOBODY), (NOBODY, NOBODY)]:
        with pytest.raises(RevertedError) as caught:
            ledger.send("open", "o", publisher, key)
        values = {"publisher": publisher.lower(), "headKey": key.lower()}
        assert (caught.value.name, caught.value.values) == ("LogKeyMissing", values)


def test_unknown_log_is_refused_everywhere(log: LogDriver) -> None:
    """Everything that speaks of a log refuses an id that no log has; hashes of its heads are zero."""
    contract, unknown = log.contract, b"\x77" * 32
    log.publish(10)
    views: list[tuple[Any, ...]] = [
        ("logState", unknown),
        ("checkpointDigest", unknown, 1, b"\1" * 32),
        ("retirementDigest", unknown, log.reference()),
    ]
    for call in views:
        with pytest.raises(RevertedError) as caught:
            contract.view(*call)
        assert (caught.value.name, caught.value.values) == ("UnknownLog", {"logId": unknown})
    entry, later = log.entry(1), log.entry(2)
    changes: list[tuple[Any, ...]] = [
        ("publish", unknown, log.head, log.signed(20), log.path_to(20)),
        ("retire", unknown, log.reference(), b"\1" * 32, b"\1" * 32),
        ("changeStatus", unknown, log.head, entry, later, 3, 0),
    ]
    for change in changes:
        with pytest.raises(RevertedError) as caught:
            contract.send(*change, sender=PUBLISHER)
        assert (caught.value.name, caught.value.values) == ("UnknownLog", {"logId": unknown})
    assert contract.view("headHash", unknown, 10) == bytes(32)
    with pytest.raises(RevertedError, match="UnacceptedHead"):
        contract.view("verifyHead", unknown, log.head)
    with pytest.raises(RevertedError, match="UnacceptedHead"):
        contract.view("statusOf", unknown, log.head, entry)
