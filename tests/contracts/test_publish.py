"""What `publish` accepts, what it refuses, in which words, and what it stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger_service.proofs.merkle import node_hash
from tests.contracts.evm import RevertedError
from tests.contracts.logs import (
    CURVE_ORDER,
    NO_HEAD,
    OPENER,
    PUBLISHER,
    STRANGER,
    HeadKey,
    LogDriver,
    checkpoint_digest,
)
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.logs import Head

OTHER_ROOT = keccak(b"another root")
OTHER_KEY = HeadKey(b"\x33" * 32)
MAX_SIZE = 2**53 - 1


def head_hash(head: Head) -> bytes:
    """What the contract stores of a head."""
    return keccak(encode(["bytes32", "uint64", "uint64"], head[1:]))


def refused(log: LogDriver, *arguments: Any, **options: Any) -> tuple[str, dict[str, Any]]:
    """The error of a `publish`; the log's state has not moved."""
    before = log.contract.view("logState", log.log_id)
    with pytest.raises(RevertedError) as caught:
        log.offer(*arguments, **options)
    assert log.contract.view("logState", log.log_id) == before
    return caught.value.name, caught.value.values


def test_heads_follow_each_other(log: LogDriver) -> None:
    """Each head is announced, stored as a hash of its values, and becomes the newest."""
    previous = 0
    for size in (1, 2, 3, 50, 64, 99, 100):
        mined = log.publish(size)
        values = {"logId": log.log_id, "size": size, "root": log.tree.root(size), "time": mined.time}
        assert mined.events == [("HeadAccepted", {**values, "previousSize": previous})]
        assert log.contract.view("headHash", log.log_id, size) == head_hash(log.head)
        assert log.contract.view("logState", log.log_id)[2:4] == (size, mined.time)
        previous = size


def test_every_accepted_head_stays_provable(log: LogDriver) -> None:
    """An old head keeps its hash and serves proofs after later ones, each for its own entries only."""
    heads = []
    for size in (3, 17, 64, 100):
        log.publish(size)
        heads.append(log.head)
    for head in heads:
        assert log.contract.view("verifyHead", log.log_id, head) == ()
        for index in range(0, head[0], 7):
            entry = log.entry(index, head[0])
            assert log.contract.view("verifyInclusion", log.log_id, head, entry) == ()
        with pytest.raises(RevertedError) as caught:
            log.contract.view("verifyInclusion", log.log_id, head, (head[0], *entry[1:]))
        assert (caught.value.name, caught.value.values) == (
            "EntryOutOfRange",
            {"index": head[0], "size": head[0]},
        )


def test_head_with_any_other_value_is_not_the_head(log: LogDriver) -> None:
    """A head is accepted as an argument only with exactly its root, time, previous size and size."""
    log.publish(10)
    log.publish(30)
    size, root, time, previous = log.head
    entry = log.entry(4)
    others: list[Head] = [
        (size, OTHER_ROOT, time, previous),
        (size, root, time + 1, previous),
        (size, root, time, previous - 1),
    ]
    for head in others:
        values = {
            "logId": log.log_id,
            "size": size,
            "storedHash": head_hash(log.head),
            "givenHash": head_hash(head),
        }
        assert refused(log, log.signed(40), log.path_to(40), accepted=head) == ("UnacceptedHead", values)
        for name, more in [("verifyHead", ()), ("verifyInclusion", (entry,)), ("statusOf", (entry,))]:
            with pytest.raises(RevertedError) as caught:
                log.contract.view(name, log.log_id, head, *more)
            assert (caught.value.name, caught.value.values) == ("UnacceptedHead", values)
    with pytest.raises(RevertedError) as caught:
        log.contract.view("verifyHead", log.log_id, (size + 1, root, time, previous))
    assert caught.value.values["storedHash"] == bytes(32)


def test_only_the_publisher_publishes(log: LogDriver) -> None:
    """Not the opener and no stranger, even with the head key's signature."""
    for sender in (OPENER, STRANGER):
        evm = log.contract.evm
        values = {"caller": evm.account(sender).lower(), "publisher": evm.account(PUBLISHER).lower()}
        error = ("NotPublisher", {"logId": log.log_id, **values})
        assert refused(log, log.signed(10), (), sender=sender) == error


def test_only_the_head_key_signs(log: LogDriver) -> None:
    """A signature by another key, of another origin, size or root, or a damaged one is refused."""
    root = log.tree.root(10)
    values = {"logId": log.log_id, "signer": OTHER_KEY.address.lower(), "headKey": log.key.address.lower()}
    assert refused(log, OTHER_KEY.sign(log.origin, 10, root), ()) == ("WrongHeadKey", values)
    for origin, size, signed_root in [
        ("other", 10, root),
        (log.origin, 11, root),
        (log.origin, 10, OTHER_ROOT),
    ]:
        signature = log.key.sign(origin, size, signed_root)[2:]
        assert refused(log, (10, root, *signature), ())[0] == "WrongHeadKey"
    r, vs = log.signed(10)[2:]
    other_parity = (int.from_bytes(vs) ^ 1 << 255).to_bytes(32)
    assert refused(log, (10, root, r, other_parity), ())[0] in {"WrongHeadKey", "ECDSAInvalidSignature"}
    assert refused(log, (10, root, bytes(32), bytes(32)), ())[0] == "ECDSAInvalidSignature"


def test_high_s_is_refused(log: LogDriver) -> None:
    """An s in the upper half is refused; EIP-2098 can write only those below 2^255 at all."""
    r = log.signed(10)[2]
    for s in (CURVE_ORDER // 2 + 1, 2**255 - 1):
        for parity in (0, 1):
            offered = (10, log.tree.root(10), r, (s | parity << 255).to_bytes(32))
            assert refused(log, offered, ()) == ("ECDSAInvalidSignatureS", {"s": s.to_bytes(32)})


def test_digest_is_eip712_without_a_chain(log: LogDriver) -> None:
    """What the head key signs is EIP-712 as eth_account reads it, for every size that a head may have."""
    for size in (1, 77, MAX_SIZE):
        expected = checkpoint_digest(log.origin, size, OTHER_ROOT)
        assert log.contract.view("checkpointDigest", log.log_id, size, OTHER_ROOT) == expected


@pytest.mark.parametrize("size", [0, MAX_SIZE + 1, 2**63, 2**64 - 1])
def test_size_out_of_range(log: LogDriver, size: int) -> None:
    """A head has 1 to 2^53-1 entries, whether or not there is one before it."""
    error = ("SizeOutOfRange", {"logId": log.log_id, "size": size})
    assert refused(log, log.signed(size, OTHER_ROOT), ()) == error
    log.publish(3)
    assert refused(log, log.signed(size, OTHER_ROOT), ()) == error


def test_growth_is_bounded(log: LogDriver) -> None:
    """A head exceeds the one before by at most 2^32 entries, the first one zero by as much."""
    limit = 2**32
    values = {"logId": log.log_id, "acceptedSize": 0, "offeredSize": limit + 1}
    assert refused(log, log.signed(limit + 1, OTHER_ROOT), ()) == ("GrowthTooLarge", values)
    assert refused(log, log.signed(MAX_SIZE, OTHER_ROOT), ())[0] == "GrowthTooLarge"
    mined = log.offer(log.signed(limit, OTHER_ROOT), ())
    log.head = (limit, OTHER_ROOT, mined.time, 0)
    values = {"logId": log.log_id, "acceptedSize": limit, "offeredSize": 2 * limit + 1}
    assert refused(log, log.signed(2 * limit + 1, OTHER_ROOT), ()) == ("GrowthTooLarge", values)
    # At the limit the size passes: a tree of 2^32 entries is one child of the root, its sibling the other.
    sibling = keccak(b"sibling")
    root = node_hash(OTHER_ROOT, sibling)
    assert log.offer(log.signed(2 * limit, root), (sibling,)).events[0][1]["root"] == root


def test_zero_root(log: LogDriver) -> None:
    """The zero root is refused."""
    error = ("ZeroRoot", {"logId": log.log_id, "size": 5})
    assert refused(log, log.signed(5, bytes(32)), ()) == error


def test_smaller_size(log: LogDriver) -> None:
    """No head is followed by a smaller one, not even by one that was accepted before."""
    log.publish(10)
    log.publish(20)
    for size in (1, 10, 19):
        values = {"logId": log.log_id, "acceptedSize": 20, "offeredSize": size}
        assert refused(log, log.signed(size), ()) == ("SizeNotGrown", values)


def test_same_head_again_has_no_effect(log: LogDriver) -> None:
    """A repeated head succeeds without event or change, named by itself or by the head before it."""
    first, first_signed = log.head, log.signed(10)
    log.publish(10)
    for accepted in (first, log.head):
        assert log.offer(first_signed, (), accepted=accepted).events == []
    before, before_path = log.head, log.path_to(20)
    log.publish(20)
    state = log.contract.view("logState", log.log_id)
    for accepted in (before, log.head):
        assert log.offer(log.signed(20), before_path, accepted=accepted).events == []
        assert log.contract.view("logState", log.log_id) == state
        assert log.contract.view("headHash", log.log_id, 20) == head_hash(log.head)


def test_same_head_again_needs_the_right_head_before(log: LogDriver) -> None:
    """A repetition names the head or the one before it, with exactly its values."""
    for size in (5, 10, 20):
        log.publish(size)
    stale = {"logId": log.log_id, "acceptedSize": 20, "givenSize": 5}
    assert refused(log, log.signed(20), (), accepted=(5, *log.head[1:])) == ("StaleHead", stale)
    stale["givenSize"] = 10
    forged = log.signed(20, OTHER_ROOT)
    assert refused(log, forged, (), accepted=(10, *log.head[1:])) == ("StaleHead", stale)
    wrong_time = (20, log.head[1], log.head[2] - 1, 10)
    assert refused(log, log.signed(20), (), accepted=wrong_time)[0] == "UnacceptedHead"


def test_fork_is_named(log: LogDriver) -> None:
    """The accepted size with another root is a fork, signed or not, and the error carries both roots."""
    log.publish(20)
    roots = {"acceptedRoot": log.tree.root(20), "offeredRoot": OTHER_ROOT}
    error = ("ForkedHead", {"logId": log.log_id, "size": 20, **roots})
    assert refused(log, log.signed(20, OTHER_ROOT), ()) == error
    assert refused(log, (20, OTHER_ROOT, bytes(32), bytes(32)), ()) == error


def test_stale_head(log: LogDriver) -> None:
    """A proof from a head that is no longer the newest is refused with both sizes."""
    log.publish(10)
    old = log.head
    log.publish(20)
    values = {"logId": log.log_id, "acceptedSize": 20, "givenSize": 10}
    path = log.tree.consistency(10, 30)
    assert refused(log, log.signed(30), path, accepted=old) == ("StaleHead", values)
    values["givenSize"] = 0
    assert refused(log, log.signed(30), (), accepted=NO_HEAD) == ("StaleHead", values)
    values["givenSize"] = 21
    assert refused(log, log.signed(30), (), accepted=(21, *log.head[1:])) == ("StaleHead", values)


def test_first_head_takes_no_path(log: LogDriver) -> None:
    """Before the first head there is nothing to be consistent with: a path is refused, however short."""
    values = {"logId": log.log_id, "length": 1, "limit": 0}
    assert refused(log, log.signed(10), (OTHER_ROOT,)) == ("PathOverLimit", values)
    assert refused(log, log.signed(10), (), accepted=(7, *NO_HEAD[1:]))[0] == "StaleHead"
    assert log.publish(10).events[0][0] == "HeadAccepted"


def test_path_is_bounded(log: LogDriver) -> None:
    """More than 64 hashes are not even looked at; up to there the proof itself has the last word."""
    log.publish(10)
    values = {"logId": log.log_id, "length": 65, "limit": 64}
    assert refused(log, log.signed(20), (OTHER_ROOT,) * 65) == ("PathOverLimit", values)
    assert refused(log, log.signed(20), (OTHER_ROOT,) * 64) == ("PathTooLong", {"length": 64})


def test_history_cannot_be_changed(log: LogDriver) -> None:
    """A tree in which one old entry differs is refused although head key and publisher agree to it."""
    log.publish(40)
    rewritten = list(log.tree.leaves)
    rewritten[7] = rewritten[8]
    other = type(log.tree)(rewritten)
    offered = log.signed(60, other.root(60))
    for path in (other.consistency(40, 60), log.path_to(60), ()):
        assert refused(log, offered, path)[0] in {"RootMismatch", "PathTooShort"}


def test_logs_do_not_touch_each_other(log: LogDriver) -> None:
    """Two logs of one publisher, one head key and one tree have their own heads."""
    other = LogDriver(log.contract, tree_of(100))
    other.open()
    log.publish(10)
    assert log.contract.view("headHash", other.log_id, 10) == bytes(32)
    other.publish(20)
    assert log.contract.view("logState", log.log_id)[2] == 10
    with pytest.raises(RevertedError, match="UnacceptedHead"):
        log.contract.view("verifyHead", other.log_id, log.head)
