"""Line 3 of a checkpoint: what it signs, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.chain.contract import LogReference
from ledger_service.chain.head_signer import (
    CURVE_ORDER,
    Eip712Signer,
    check_eip712_line,
    checkpoint_digest,
    compact_line,
    key_address,
    retirement_digest,
)
from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.checkpoint import Checkpoint, format_checkpoint
from ledger_service.proofs.note import (
    ALG_EIP712,
    Note,
    Signature,
    format_note,
    format_vkey,
    make_vkey,
    parse_note,
)
from ledger_service.proofs.types import Origin, RootHash, TreeSize

VECTOR = Path(__file__).parents[2] / "vectors" / "eip712_checkpoint.json"
ORIGIN = "ledger.example/logs/shop/purchases"
SIGNER = Eip712Signer(bytes(range(1, 33)), name=ORIGIN)
CHECKPOINT = Checkpoint(Origin(ORIGIN), TreeSize(69_660), RootHash(bytes(range(32))))


def signed(checkpoint: Checkpoint = CHECKPOINT, signer: Eip712Signer = SIGNER) -> Note:
    """A note with line 3 alone."""
    return Note(format_checkpoint(checkpoint), (signer.sign(checkpoint, 1),))


def typed_data(checkpoint: Checkpoint) -> dict[str, object]:
    """The EIP-712 document, as a wallet would be asked to sign it."""
    return {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}],
            "Checkpoint": [
                {"name": "origin", "type": "string"},
                {"name": "size", "type": "uint64"},
                {"name": "root", "type": "bytes32"},
            ],
        },
        "domain": {"name": "audit-ledger checkpoint", "version": "1"},
        "primaryType": "Checkpoint",
        "message": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root},
    }


def test_the_digest_is_what_a_wallet_signs() -> None:
    """eth-account signs the typed data to the same r and s, and recovers the same address."""
    wallet = Account.from_key(bytes(range(1, 33)))
    message = encode_typed_data(full_message=typed_data(CHECKPOINT))
    made = wallet.sign_message(message)
    payload = signed().signatures[0].payload
    assert payload == made.r.to_bytes(32) + made.s.to_bytes(32)
    assert bytes(made.message_hash) == checkpoint_digest(CHECKPOINT)
    assert "0x" + check_eip712_line(signed(), SIGNER.vkey).hex() == wallet.address.lower()


def test_the_retirement_digest_is_what_a_wallet_signs() -> None:
    """Closing a log is bound to chain, contract and size, as the contract's own domain says."""
    successor = LogReference(5, b"\x22" * 20, b"\x33" * 32)
    names = {
        "logId": "bytes32",
        "size": "uint64",
        "chainId": "uint256",
        "anchor": "address",
        "successorLogId": "bytes32",
    }
    message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Retirement": [{"name": name, "type": kind} for name, kind in names.items()],
        },
        "domain": {
            "name": "audit-ledger log", "version": "1", "chainId": 7, "verifyingContract": "0x" + "11" * 20,
        },
        "primaryType": "Retirement",
        "message": {
            "logId": b"\x44" * 32, "size": 9, "chainId": 5, "anchor": "0x" + "22" * 20,
            "successorLogId": b"\x33" * 32,
        },
    }  # fmt: skip
    made = Account.from_key(bytes(range(1, 33))).sign_message(encode_typed_data(full_message=message))
    ours = {
        "chain_id": 7,
        "contract": b"\x11" * 20,
        "log_id": b"\x44" * 32,
        "size": 9,
        "successor": successor,
    }
    assert retirement_digest(**ours) == bytes(made.message_hash)  # type: ignore[arg-type]
    compact = SIGNER.sign_retirement(**ours)  # type: ignore[arg-type]
    assert compact.r == made.r.to_bytes(32)
    assert compact.vs == (made.s | (made.v - 27) << 255).to_bytes(32)


@given(
    size=st.integers(0, 2**53 - 1),
    root=st.binary(min_size=32, max_size=32),
    secret=st.integers(1, CURVE_ORDER - 1),
)
def test_every_line_that_is_signed_is_accepted(size: int, root: bytes, secret: int) -> None:
    """Whatever key and head: the line checks, and its compact form recovers to the key."""
    signer = Eip712Signer(secret.to_bytes(32), name=ORIGIN)
    checkpoint = Checkpoint(Origin(ORIGIN), TreeSize(size), RootHash(root))
    note = parse_note(format_note(signed(checkpoint, signer)))
    address = check_eip712_line(note, signer.vkey)
    compact = compact_line(note, signer.vkey)
    assert address == key_address(signer.vkey)
    assert compact.r == note.signatures[0].payload[:32]
    s = int.from_bytes(compact.vs) & ~(1 << 255)
    assert s.to_bytes(32) == note.signatures[0].payload[32:]


def test_the_same_checkpoint_has_the_same_line() -> None:
    """A crash between signing and storing cannot show two signatures."""
    assert signed() == signed()
    assert signed().signatures[0] == Eip712Signer(bytes(range(1, 33)), name=ORIGIN).sign(CHECKPOINT, 99)


@pytest.mark.parametrize("place", range(64))
def test_every_byte_of_the_signature_counts(place: int) -> None:
    """A signature with one byte changed is refused, by the check and by the compact form."""
    line = signed().signatures[0]
    payload = bytearray(line.payload)
    payload[place] ^= 1
    note = Note(format_checkpoint(CHECKPOINT), (Signature(line.name, line.key_id, bytes(payload)),))
    with pytest.raises(SignatureError):
        check_eip712_line(note, SIGNER.vkey)
    with pytest.raises(SignatureError):
        compact_line(note, SIGNER.vkey)


def test_the_other_half_of_s_is_refused() -> None:
    """The same signature with s in the upper half is the same to ECDSA, and not to us."""
    line = signed().signatures[0]
    high = CURVE_ORDER - int.from_bytes(line.payload[32:])
    note = Note(
        format_checkpoint(CHECKPOINT),
        (Signature(line.name, line.key_id, line.payload[:32] + high.to_bytes(32)),),
    )
    with pytest.raises(SignatureError, match="lower half"):
        check_eip712_line(note, SIGNER.vkey)


@pytest.mark.parametrize(
    "payload", [b"\x01", bytes(64), bytes(63) + b"\x01", b"\xff" * 64, b"\x01" * 65, b"\x01" * 63]
)
def test_what_is_not_r_and_s_is_refused(payload: bytes) -> None:
    """Zero, numbers beyond the order and other lengths are no signature."""
    line = Signature(SIGNER.vkey.name, SIGNER.vkey.key_id, payload)
    with pytest.raises(SignatureError):
        check_eip712_line(Note(format_checkpoint(CHECKPOINT), (line,)), SIGNER.vkey)


@pytest.mark.parametrize(
    "other",
    [
        Checkpoint(Origin("ledger.example/logs/other"), CHECKPOINT.size, CHECKPOINT.root),
        Checkpoint(CHECKPOINT.origin, TreeSize(CHECKPOINT.size + 1), CHECKPOINT.root),
        Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, RootHash(bytes(32))),
    ],
)
def test_a_line_of_another_checkpoint_is_refused(other: Checkpoint) -> None:
    """Origin, size and root are all signed."""
    with pytest.raises(SignatureError):
        check_eip712_line(Note(format_checkpoint(other), signed().signatures), SIGNER.vkey)


def test_a_line_of_another_key_is_refused() -> None:
    """A line under our key's name and id that another key made is refused; without a line nothing passes."""
    other = Eip712Signer(b"\x05" * 32, name=ORIGIN)
    payload = signed(signer=other).signatures[0].payload
    forged = Signature(SIGNER.vkey.name, SIGNER.vkey.key_id, payload)
    for note in (Note(format_checkpoint(CHECKPOINT), (forged,)), signed(signer=other)):
        with pytest.raises(SignatureError):
            check_eip712_line(note, SIGNER.vkey)
        with pytest.raises(SignatureError):
            compact_line(note, SIGNER.vkey)


def test_a_key_that_is_no_point_is_malformed() -> None:
    """33 bytes that are no point of the curve have no address and check nothing."""
    key = make_vkey(ORIGIN, alg=ALG_EIP712, public_key=b"\x05" * 33)
    with pytest.raises(MalformedError):
        key_address(key)
    note = Note(
        format_checkpoint(CHECKPOINT), (Signature(key.name, key.key_id, signed().signatures[0].payload),)
    )
    with pytest.raises(SignatureError):
        check_eip712_line(note, key)


def test_the_vector_is_what_we_make() -> None:
    """The shared vector, which the contracts' tests and browser code read as well, comes out of this code."""
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    for case in vector["cases"]:
        signer = Eip712Signer(bytes.fromhex(case["secret"]), name=case["origin"])
        checkpoint = Checkpoint(
            Origin(case["origin"]), TreeSize(case["size"]), RootHash(bytes.fromhex(case["root"]))
        )
        note = signed(checkpoint, signer)
        compact = compact_line(note, signer.vkey)
        made = {
            "vkey": format_vkey(signer.vkey),
            "address": "0x" + key_address(signer.vkey).hex(),
            "digest": checkpoint_digest(checkpoint).hex(),
            "note": format_note(note).decode(),
            "r": compact.r.hex(),
            "vs": compact.vs.hex(),
        }
        assert {name: case[name] for name in made} == made
