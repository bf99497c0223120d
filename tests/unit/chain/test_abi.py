"""What stands on the wire when one talks to the contract."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from ledger_service.chain.abi import load_artifact, load_artifacts
from ledger_service.chain.client import Event
from ledger_service.chain.contract import NO_HEAD, Head, head_hash, name_revert, predict_log_id
from ledger_service.errors import ChainUnavailableError, ContractRevertedError

ARTIFACT = load_artifact("PurchaseLedger")
LOG = b"\x01" * 32


def word(number: int) -> bytes:
    """One word of the ABI."""
    return number.to_bytes(32, "big")


def test_every_kind_of_log_has_its_artifact() -> None:
    """Who verifies has each contract of ours at hand, and knows it by the hash of its code."""
    artifacts = load_artifacts()
    assert [each.name for each in artifacts] == ["CertificateRegistry", "DataNotary", "PurchaseLedger"]
    assert ARTIFACT in artifacts


def test_a_call_begins_with_its_selector() -> None:
    """Selector and arguments stand as the ABI specification says."""
    data = ARTIFACT.encode_call("headHash", LOG, 7)
    assert data == keccak(b"headHash(bytes32,uint64)")[:4] + LOG + word(7)


def test_structs_are_encoded_in_their_order() -> None:
    """A head is four words, in the order of the Solidity struct."""
    head = Head(9, b"\x02" * 32, 1_795_000_000, 4)
    data = ARTIFACT.encode_call("verifyHead", LOG, (head.size, head.root, head.time, head.previous_size))
    assert data[4:] == LOG + word(9) + b"\x02" * 32 + word(1_795_000_000) + word(4)


def test_a_revert_gets_its_name_and_values() -> None:
    """Custom errors carry the values, and they are shown; bytes that are no error of ours have no name."""
    data = keccak(b"SizeNotGrown(bytes32,uint64,uint64)")[:4] + LOG + word(5) + word(4)
    named = name_revert(ARTIFACT, ContractRevertedError(data=data))
    assert named.details["name"] == "SizeNotGrown"
    assert named.details["args"] == {"logId": LOG, "acceptedSize": 5, "offeredSize": 4}
    assert "SizeNotGrown" in named.text
    for unknown in (b"", b"\x08\xc3\x79\xa0" + word(32)):
        assert name_revert(ARTIFACT, ContractRevertedError(data=unknown)).details["name"] == ""


@pytest.mark.parametrize("data", [b"", b"\x00" * 31, b"\xff" * 32])
def test_a_result_of_the_wrong_shape_is_no_answer(data: bytes) -> None:
    """An address without code answers nothing, and a node may answer anything: neither is a nonce."""
    with pytest.raises(ChainUnavailableError):
        ARTIFACT.decode_result("openerNonce", data)


def test_an_event_is_read_by_name() -> None:
    """Indexed values come from the topics, the others from the data; another event is refused."""
    topics = (ARTIFACT.topic("HeadAccepted"), LOG, word(9))
    event = Event(bytes(20), topics, b"\x03" * 32 + word(1_795_000_000) + word(4), 1, bytes(32), bytes(32))
    told = ARTIFACT.decode_event("HeadAccepted", event)
    assert (told["logId"], told["size"], told["root"]) == (LOG, 9, b"\x03" * 32)
    assert (told["time"], told["previousSize"]) == (1_795_000_000, 4)
    with pytest.raises(ChainUnavailableError):
        ARTIFACT.decode_event("LogOpened", event)


def test_the_code_hash_is_that_of_the_runtime_code() -> None:
    """There are no immutables, so the deployed code is the artifact's on every chain."""
    assert len(ARTIFACT.code_hash) == 32
    assert ARTIFACT.encode_deployment([b"\x05" * 20]).startswith(ARTIFACT.init_code)


def test_heads_and_ids_hash_as_in_the_contract() -> None:
    """Both are Keccak over plain words (design section 6)."""
    assert head_hash(NO_HEAD) == keccak(bytes(96))
    expected = keccak(word(7) + b"\x02".rjust(32, b"\0") + b"\x03".rjust(32, b"\0") + keccak(b"a") + word(1))
    made = predict_log_id(
        chain_id=7, contract=b"\x02".rjust(20, b"\0"), opener=b"\x03".rjust(20, b"\0"), origin="a", nonce=1
    )
    assert made == expected
