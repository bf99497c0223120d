"""Checkpoints and the cosignatures on them."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.checkpoint import (
    Checkpoint,
    check_cosignature,
    check_mldsa,
    check_signature,
    cosigned_message,
    format_checkpoint,
    format_cosignature_payload,
    parse_checkpoint,
    parse_cosignature_payload,
)
from ledger_service.proofs.note import (
    ALG_COSIGNATURE,
    ALG_ED25519,
    Note,
    Signature,
    check_ed25519,
    make_vkey,
    parse_note,
    parse_vkey,
)
from ledger_service.proofs.types import Origin, RootHash, TreeSize
from tests.support.evidence_factory import EvidenceFactory
from tests.unit.proofs.strategies import checkpoints
from tests.unit.proofs.vectors import malformed_texts, read_vectors

FACTORY = EvidenceFactory(records=5)
NOTE = parse_note(FACTORY.note(4))

# The example of C2SP tlog-checkpoint and tlog-cosignature, whose keys are not printed there.
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


@given(checkpoints)
def test_round_trip(checkpoint: Checkpoint) -> None:
    """Every checkpoint is read back from its text."""
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


def test_example_of_the_specification() -> None:
    """The example of tlog-checkpoint parses and is written the same."""
    checkpoint = parse_checkpoint(EXAMPLE)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert format_checkpoint(checkpoint) == EXAMPLE


@pytest.mark.parametrize(("why", "text"), malformed_texts("checkpoint"), ids=lambda case: case[:40])
def test_other_texts(why: str, text: str) -> None:
    """A checkpoint in any other form is refused."""
    assert why
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


@pytest.mark.parametrize("changes", [{"root": bytes(31)}, {"size": -1}, {"size": 2**63}, {"origin": "a b"}])
def test_impossible_checkpoints(changes: dict[str, object]) -> None:
    """A checkpoint that would not parse is not written."""
    checkpoint = Checkpoint(Origin("a"), TreeSize(1), RootHash(bytes(32)))
    with pytest.raises(MalformedError):
        format_checkpoint(replace(checkpoint, **changes))  # type: ignore[arg-type]


def test_cosigned_message_layout() -> None:
    """The ML-DSA line signs the cosigned_message structure of tlog-cosignature, byte for byte."""
    checkpoint = Checkpoint(Origin("log.example/a"), TreeSize(258), RootHash(b"r" * 32))
    message = cosigned_message("wit.example", timestamp=1, checkpoint=checkpoint)
    assert message == (
        b"subtree/v1\n\x00"
        b"\x0bwit.example"
        b"\x00\x00\x00\x00\x00\x00\x00\x01"
        b"\x0dlog.example/a"
        b"\x00\x00\x00\x00\x00\x00\x00\x00"
        b"\x00\x00\x00\x00\x00\x00\x01\x02" + b"r" * 32
    )


def test_vector() -> None:
    """The stored checkpoint verifies under the stored keys, and its ML-DSA line over the stored message."""
    vector = read_vectors("checkpoint")
    note = parse_note(vector["note"].encode())
    ed25519, mldsa, _ = (parse_vkey(text) for text in vector["vkeys"])
    assert note.text == vector["text"]
    check_ed25519(note, ed25519)
    assert check_mldsa(note, mldsa) == vector["mldsa44"]["timestamp"]
    message = bytes.fromhex(vector["mldsa44"]["message"])
    payload = note.signatures[1].payload
    assert struct.unpack(">Q", payload[:8]) == (vector["mldsa44"]["timestamp"],)
    assert len(payload[8:]) == 2420
    MLDSA44PublicKey.from_public_bytes(mldsa.public_key).verify(payload[8:], message)


def test_three_lines_in_order() -> None:
    """Our checkpoint carries Ed25519 first, then ML-DSA-44, then the EIP-712 line."""
    ids = [line.key_id for line in NOTE.signatures]
    assert ids == [key.key_id for key in (FACTORY.log_vkey, FACTORY.mldsa_vkey, FACTORY.eip712_vkey)]


@pytest.mark.parametrize(("byte", "bit"), [(0, 0), (7, 1), (8, 7), (1000, 3), (2427, 0)])
def test_flipped_bit_of_the_mldsa_line(byte: int, bit: int) -> None:
    """One flipped bit of timestamp or signature is refused."""
    payload = bytearray(NOTE.signatures[1].payload)
    payload[byte] ^= 1 << bit
    tampered = replace(NOTE.signatures[1], payload=bytes(payload))
    with pytest.raises(SignatureError):
        check_mldsa(replace(NOTE, signatures=(tampered,)), FACTORY.mldsa_vkey)


def test_cosignature_of_another_checkpoint() -> None:
    """A cosignature of one checkpoint does not fit another size, root or log."""
    other = parse_note(FACTORY.note(5))
    with pytest.raises(SignatureError):
        check_mldsa(replace(other, signatures=NOTE.signatures), FACTORY.mldsa_vkey)


@pytest.mark.parametrize(
    "payload", [b"", bytes(7), b"\x01" * 7, bytes(8), bytes(2428), b"\xff" * 2428, b"\x00" * 7 + b"\x01"]
)
def test_malformed_cosignatures(payload: bytes) -> None:
    """A cosignature cut short, without time (zero), or with a time beyond 2^63 - 1 is refused."""
    line = replace(NOTE.signatures[1], payload=payload)
    with pytest.raises(SignatureError):
        check_mldsa(replace(NOTE, signatures=(line,)), FACTORY.mldsa_vkey)


def test_missing_cosignature() -> None:
    """A checkpoint without the asked line is refused."""
    with pytest.raises(SignatureError):
        check_mldsa(replace(NOTE, signatures=NOTE.signatures[:1]), FACTORY.mldsa_vkey)


@given(st.integers(1, 2**63 - 1), st.binary(max_size=20))
def test_payload_round_trip(timestamp: int, signature: bytes) -> None:
    """Time and signature are read back from a payload."""
    payload = format_cosignature_payload(timestamp, signature)
    assert parse_cosignature_payload(payload) == (timestamp, signature)


@pytest.mark.parametrize("timestamp", [0, -1, 2**63])
def test_impossible_times(timestamp: int) -> None:
    """A time of zero says nothing, and one beyond 2^63 - 1 is forbidden."""
    with pytest.raises(MalformedError):
        format_cosignature_payload(timestamp, b"")


def test_witness_of_today() -> None:
    """An Ed25519 cosignature (type 0x04), as public witnesses make them, verifies with its time."""
    key = make_vkey(
        "witness.example/w", alg=ALG_COSIGNATURE, public_key=FACTORY.log_key.public_key().public_bytes_raw()
    )
    signature = FACTORY.log_key.sign(b"cosignature/v1\ntime 1679315147\n" + EXAMPLE.encode())
    line = Signature(key.name, key.key_id, format_cosignature_payload(1679315147, signature))
    note = Note(EXAMPLE, (line,))
    assert check_cosignature(note, key) == check_signature(note, key) == 1679315147
    with pytest.raises(SignatureError):
        check_cosignature(replace(note, text=EXAMPLE.replace("20852163", "20852164")), key)


def test_each_type_has_its_own_check() -> None:
    """A key is only ever used for its own type of signature; the EIP-712 line is not ours to check."""
    assert check_signature(NOTE, FACTORY.log_vkey) is None
    assert check_signature(NOTE, FACTORY.mldsa_vkey) == int(FACTORY.time_of(4).timestamp())
    for check, key in (
        (check_signature, FACTORY.eip712_vkey),
        (check_mldsa, FACTORY.log_vkey),
        (check_cosignature, FACTORY.log_vkey),
    ):
        with pytest.raises(SignatureError):
            check(NOTE, key)


def test_mldsa_key_that_is_none() -> None:
    """A note without checkpoint text has no cosignature to check."""
    with pytest.raises(MalformedError):
        check_mldsa(replace(NOTE, text="no checkpoint\n"), FACTORY.mldsa_vkey)
    assert FACTORY.log_vkey.alg == ALG_ED25519
