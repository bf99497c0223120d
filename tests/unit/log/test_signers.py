"""Signature lines of checkpoints, and signed acceptances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger_service.errors import SignatureError
from ledger_service.log.acceptances import AcceptanceSigner
from ledger_service.log.signers import Ed25519Signer, MlDsa44Signer, sign_checkpoint
from ledger_service.proofs.acceptance import check_acceptance
from ledger_service.proofs.checkpoint import Checkpoint, check_mldsa, format_checkpoint
from ledger_service.proofs.merkle import EMPTY_ROOT
from ledger_service.proofs.note import Signature, check_ed25519, parse_note
from ledger_service.proofs.types import LeafHash, Origin, TreeSize

ORIGIN = Origin("ledger.test/logs/shop/purchases")
CHECKPOINT = Checkpoint(ORIGIN, TreeSize(7), EMPTY_ROOT)
ED25519 = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
ML_DSA = MlDsa44Signer(ORIGIN, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))


class FaultySigner:
    """A signer whose processor makes a mistake."""

    vkey = ML_DSA.vkey

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:
        """A line of which the last byte is wrong."""
        good = ML_DSA.sign(checkpoint, timestamp)
        return Signature(good.name, good.key_id, good.payload[:-1] + bytes([good.payload[-1] ^ 1]))


def test_lines_check_against_their_keys() -> None:
    """Both lines check, stand in the order of the signers, and the second carries the time."""
    note = parse_note(sign_checkpoint(CHECKPOINT, timestamp=1_800_000_000, signers=(ED25519, ML_DSA)))
    assert note.text == format_checkpoint(CHECKPOINT)
    assert [line.key_id for line in note.signatures] == [ED25519.vkey.key_id, ML_DSA.vkey.key_id]
    check_ed25519(note, ED25519.vkey)
    assert check_mldsa(note, ML_DSA.vkey) == 1_800_000_000


def test_first_line_is_the_same_each_time() -> None:
    """Signing again after a crash gives the same text and the same Ed25519 bytes; ML-DSA's may differ."""
    one, two = (
        parse_note(sign_checkpoint(CHECKPOINT, timestamp=5, signers=(ED25519, ML_DSA))) for _ in range(2)
    )
    assert one.text == two.text
    assert one.signatures[0] == two.signatures[0]
    assert one.signatures[1] != two.signatures[1]


def test_first_signer_must_be_ed25519() -> None:
    """A note whose first line would be another, or that would have none, is not made."""
    for signers in ((), (ML_DSA,), (ML_DSA, ED25519)):
        with pytest.raises(SignatureError):
            sign_checkpoint(CHECKPOINT, timestamp=5, signers=signers)


def test_faulty_signature_does_not_leave() -> None:
    """A signature that does not check is not put into a note."""
    with pytest.raises(SignatureError):
        sign_checkpoint(CHECKPOINT, timestamp=5, signers=(ED25519, FaultySigner()))


def test_acceptance_promises_a_time() -> None:
    """An acceptance names log, leaf and both times, and checks against the key of its own name."""
    signer = AcceptanceSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)), max_delay_s=60)
    accepted = datetime(2026, 11, 22, 12, tzinfo=UTC)
    said = check_acceptance(signer.sign(LeafHash(b"\1" * 32), accepted=accepted), signer.vkey)
    assert (said.origin, said.leaf, said.accepted) == (ORIGIN, b"\1" * 32, accepted)
    assert said.sequenced_by == accepted + timedelta(seconds=60)
    assert signer.vkey.name == f"{ORIGIN}/acceptance"
