"""Verifiers by other people accept what we sign and prove, and refuse what was tampered with, as we do."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import LedgerError
from ledger_service.proofs.checkpoint import Checkpoint, check_mldsa, cosigned_message, parse_checkpoint
from ledger_service.proofs.merkle import check_inclusion, leaf_hash, tree_root, tree_root_of
from ledger_service.proofs.note import (
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    check_ed25519,
    find_signature,
    format_note,
    format_vkey,
    make_vkey,
    parse_note,
    parse_vkey,
)
from ledger_service.proofs.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof
from ledger_service.proofs.types import LeafIndex, Origin, RootHash, TreeSize
from tests.interop import verifiers
from tests.interop.sample_log import ORIGIN, TIMESTAMP, SampleLog, flip, flip_hash, sign_checkpoint
from tests.interop.verifiers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# One entry, one tile exactly, one more, several tiles with a partial one, and a second level that is full.
SIZES = (1, 256, 257, 700, 65_800)


@pytest.fixture(scope="module", params=SIZES)
def log(request: pytest.FixtureRequest) -> SampleLog:
    """A log of each interesting size."""
    return SampleLog.make(request.param, seed=request.config.option.seed)


@pytest.fixture(scope="module")
def small_log(request: pytest.FixtureRequest) -> SampleLog:
    """One log to tamper with."""
    return SampleLog.make(300, seed=request.config.option.seed)


def _indexes(log: SampleLog) -> list[int]:
    return sorted({0, log.size // 3, log.size // 2, log.size - 1})


def _sigstore_case(log: SampleLog, index: int) -> dict[str, object]:
    return {
        "origin": ORIGIN,
        "publicKey": log.keys.ed25519_vkey.public_key.hex(),
        "checkpoint": log.checkpoint().decode(),
        "index": index,
        "entry": log.entries[index].hex(),
        "hashes": [each.hex() for each in log.inclusion(index)],
    }


def test_checkpoint_is_accepted(log: SampleLog) -> None:
    """Three verifiers accept the Ed25519 line and pass over the lines that they do not know."""
    note, vkey = log.checkpoint().decode(), format_vkey(log.keys.ed25519_vkey)
    verifiers.check_checkpoint_with_proofbundle(note, vkey)
    verifiers.check_line_with_tlog_scales(note, vkey)
    answers = verifiers.judge_with_node("verify_sigstore.mjs", [_sigstore_case(log, 0)])
    assert answers == ["accepted"]


def test_cosignature_is_accepted(log: SampleLog) -> None:
    """Two verifiers build the cosigned message themselves and accept the ML-DSA-44 line and its time."""
    note, vkey = log.checkpoint().decode(), format_vkey(log.keys.mldsa_vkey)
    assert verifiers.check_cosignature_with_proofbundle(note, vkey) == TIMESTAMP
    verifiers.check_line_with_tlog_scales(note, vkey)


def test_proofs_are_accepted(log: SampleLog) -> None:
    """A tlog-proof is accepted as a whole by one verifier; its path and checkpoint by another."""
    vkey = format_vkey(log.keys.ed25519_vkey)
    for index in _indexes(log):
        proof = log.proof(index).decode()
        entry = log.entries[index]
        assert verifiers.check_proof_with_proofbundle(proof, entry, vkey=vkey, origin=ORIGIN) == index
    answers = verifiers.judge_with_node(
        "verify_sigstore.mjs", [_sigstore_case(log, index) for index in _indexes(log)]
    )
    assert set(answers) == {"accepted"}


def test_tiles_are_accepted(log: SampleLog, tmp_path: Path) -> None:
    """A tile client by somebody else finds our root, our entries and the growth from a smaller size."""
    log.write(tmp_path)
    reader = verifiers.TlogScalesReader(str(tmp_path), vkey=format_vkey(log.keys.mldsa_vkey))
    reader.check_root()
    for index in _indexes(log):
        assert reader.check_entry(index) == log.entries[index]
    for size in sorted({1, log.size // 2 or 1, log.size}):
        reader.check_growth(size, log.root(size))


def test_root_and_growth_agree(log: SampleLog) -> None:
    """Trees by two other people lead to our root, and one accepts our consistency proofs."""
    assert verifiers.root_by_pymerkle(log.entries) == log.root()
    for first in sorted({1, log.size // 2 or 1, log.size - 1 or 1}):
        roots = (log.root(first), log.root())
        proof = log.consistency(first)
        verifiers.check_consistency_with_tlog_scales(first, log.size, roots, proof)
        if proof:
            with pytest.raises(RefusedError):
                verifiers.check_consistency_with_tlog_scales(first, log.size, roots, flip_hash(proof, 0))


def test_cosigned_message_is_the_specified_layout(small_log: SampleLog) -> None:
    """The ML-DSA-44 line signs the cosigned_message of C2SP tlog-cosignature, byte by byte."""
    note = parse_note(small_log.checkpoint())
    checkpoint = parse_checkpoint(note.text)
    key = small_log.keys.mldsa_vkey
    line = find_signature(note, key)
    assert line is not None
    assert len(line.payload) == 8 + 2420
    timestamp = struct.unpack(">Q", line.payload[:8])[0]
    # struct { uint8 label[12]; opaque cosigner_name<1..2^8-1>; uint64 timestamp; opaque log_origin<1..2^8-1>;
    #          uint64 start; uint64 end; uint8 hash[32]; } in the notation of RFC 8446 section 3.
    name, origin = key.name.encode(), checkpoint.origin.encode()
    layout = f">12s B{len(name)}s Q B{len(origin)}s Q Q 32s"
    message = struct.pack(
        layout,
        b"subtree/v1\n\0",
        len(name),
        name,
        timestamp,
        len(origin),
        origin,
        0,
        checkpoint.size,
        checkpoint.root,
    )
    assert len(message) == 12 + 1 + len(name) + 8 + 1 + len(origin) + 8 + 8 + 32
    assert cosigned_message(key.name, timestamp=timestamp, checkpoint=checkpoint) == message
    assert timestamp == TIMESTAMP

    def case(signed: bytes) -> dict[str, object]:
        return {
            "publicKey": key.public_key.hex(),
            "message": signed.hex(),
            "signature": line.payload[8:].hex(),
        }

    # Every byte of the message counts, and so does each field's own place in it.
    tampered = [flip(message, at) for at in range(0, len(message), 7)]
    swapped = message[:12] + bytes([len(origin)]) + origin + message[13 + len(name) :]
    if swapped == message:
        swapped = message[:-48] + message[-40:-32] + message[-48:-40] + message[-32:]
    answers = verifiers.judge_with_node(
        "verify_noble.mjs", [case(each) for each in (message, *tampered, swapped)]
    )
    assert answers[0] == "accepted"
    assert all(answer.startswith("refused") for answer in answers[1:])


def _resign(note: Note, key: VerifierKey, payload: bytes) -> bytes:
    """The note with another payload in the line of that key."""
    lines = tuple(
        Signature(line.name, line.key_id, payload) if line.key_id == key.key_id else line
        for line in note.signatures
    )
    return format_note(Note(note.text, lines))


def _tampered_checkpoints(log: SampleLog) -> dict[str, bytes]:
    """Checkpoints that nobody may accept, by what was done to them."""
    checkpoint = Checkpoint(ORIGIN, log.size, log.root())
    note = parse_note(log.checkpoint())
    other_text = {
        "another root": Checkpoint(ORIGIN, log.size, RootHash(flip(log.root(), 3))),
        "another size": Checkpoint(ORIGIN, TreeSize(log.size + 1), log.root()),
        "another origin": Checkpoint(Origin(ORIGIN + "x"), log.size, log.root()),
    }
    found = {
        what: format_note(Note(parse_note(sign_checkpoint(other, log.keys)).text, note.signatures))
        for what, other in other_text.items()
    }
    ed25519 = find_signature(note, log.keys.ed25519_vkey)
    mldsa = find_signature(note, log.keys.mldsa_vkey)
    assert ed25519 is not None
    assert mldsa is not None
    broken = _resign(note, log.keys.ed25519_vkey, flip(ed25519.payload, 40))
    broken = _resign(parse_note(broken), log.keys.mldsa_vkey, flip(mldsa.payload, 1_000))
    found["broken signatures"] = broken
    strangers = SampleLog.make(1, seed=99).keys
    found["another's signatures"] = sign_checkpoint(checkpoint, strangers)
    return found


CHECKPOINT_CHECKS: dict[str, Callable[[str, str], object]] = {
    "proofbundle": verifiers.check_checkpoint_with_proofbundle,
    "tlog-scales": verifiers.check_line_with_tlog_scales,
    "ours": lambda note, vkey: check_ed25519(parse_note(note.encode()), parse_vkey(vkey)),
}
COSIGNATURE_CHECKS: dict[str, Callable[[str, str], object]] = {
    "proofbundle": verifiers.check_cosignature_with_proofbundle,
    "tlog-scales": verifiers.check_line_with_tlog_scales,
    "ours": lambda note, vkey: check_mldsa(parse_note(note.encode()), parse_vkey(vkey)),
}


@pytest.mark.parametrize("who", CHECKPOINT_CHECKS)
def test_tampered_checkpoint_is_refused(small_log: SampleLog, who: str) -> None:
    """Each verifier, ours among them, accepts the checkpoint's Ed25519 line and none of the tampered ones."""
    check, vkey = CHECKPOINT_CHECKS[who], format_vkey(small_log.keys.ed25519_vkey)
    check(small_log.checkpoint().decode(), vkey)
    for what, note in _tampered_checkpoints(small_log).items():
        _refuse(f"{who} accepted {what}", check, note.decode(), vkey)


@pytest.mark.parametrize("who", COSIGNATURE_CHECKS)
def test_tampered_cosignature_is_refused(small_log: SampleLog, who: str) -> None:
    """Each verifier accepts the ML-DSA-44 line, and refuses another time, another name and tampered texts."""
    keys = small_log.keys
    check, vkey = COSIGNATURE_CHECKS[who], format_vkey(keys.mldsa_vkey)
    check(small_log.checkpoint().decode(), vkey)
    note = parse_note(small_log.checkpoint())
    line = find_signature(note, keys.mldsa_vkey)
    assert line is not None
    tampered = _tampered_checkpoints(small_log)
    tampered["another time"] = _resign(
        note, keys.mldsa_vkey, struct.pack(">Q", TIMESTAMP + 1) + line.payload[8:]
    )
    for what, other in tampered.items():
        _refuse(f"{who} accepted {what}", check, other.decode(), vkey)
    # The same key under another name: the message commits to the cosigner's name.
    renamed = make_vkey("witness.example", alg=ALG_MLDSA44, public_key=keys.mldsa_vkey.public_key)
    lines = (Signature(renamed.name, renamed.key_id, line.payload),)
    with pytest.raises((RefusedError, LedgerError)):
        check(format_note(Note(note.text, lines)).decode(), format_vkey(renamed))


def _refuse(complaint: str, check: Callable[..., object], *arguments: object) -> None:
    """Fail with the complaint when a check accepts what it must not."""
    try:
        check(*arguments)
    except (RefusedError, LedgerError):
        return
    pytest.fail(complaint)


def _read_all(directory: Path, vkey: str, size: int) -> None:
    reader = verifiers.TlogScalesReader(str(directory), vkey=vkey)
    reader.check_root()
    for index in range(size):
        reader.check_entry(index)


def _check_their_proof(text: str, entry: bytes, key: VerifierKey) -> None:
    verifiers.check_proof_with_proofbundle(text, entry, vkey=format_vkey(key), origin=ORIGIN)


def _check_our_proof(text: str, entry: bytes, vkey: VerifierKey) -> None:
    proof = parse_tlog_proof(text.encode())
    note = parse_note(proof.checkpoint)
    check_ed25519(note, vkey)
    checkpoint = parse_checkpoint(note.text)
    check_inclusion(
        leaf_hash(entry), index=proof.index, size=checkpoint.size, root=checkpoint.root, proof=proof.hashes
    )


def _tampered_proofs(log: SampleLog, index: int) -> dict[str, bytes]:
    """tlog-proofs that nobody may accept for the entry at `index`."""
    good = TlogProof(index=LeafIndex(index), hashes=log.inclusion(index), checkpoint=log.checkpoint())

    def changed(
        *, at: int = index, hashes: tuple[bytes, ...] = good.hashes, checkpoint: bytes = good.checkpoint
    ) -> bytes:
        return format_tlog_proof(TlogProof(index=LeafIndex(at), hashes=hashes, checkpoint=checkpoint))

    found = {
        f"hash {at} flipped": changed(hashes=flip_hash(good.hashes, at)) for at in range(len(good.hashes))
    }
    found |= {
        "another index": changed(at=index ^ 1),
        "index beyond the tree": changed(at=log.size),
        "a hash missing": changed(hashes=good.hashes[:-1]),
        "a hash too many": changed(hashes=(*good.hashes, bytes(32))),
        "hashes swapped": changed(hashes=(good.hashes[1], good.hashes[0], *good.hashes[2:])),
        "an older checkpoint": changed(checkpoint=log.checkpoint(log.size - 1)),
    }
    found |= {what: changed(checkpoint=note) for what, note in _tampered_checkpoints(log).items()}
    return found


def test_tampered_proof_is_refused(small_log: SampleLog) -> None:
    """Two verifiers and ours refuse a tlog-proof with anything changed, and the proof of another entry."""
    index = 77
    entry, key = small_log.entries[index], small_log.keys.ed25519_vkey
    cases: list[dict[str, object]] = []
    for what, proof in _tampered_proofs(small_log, index).items():
        _refuse(f"proofbundle accepted {what}", _check_their_proof, proof.decode(), entry, key)
        _refuse(f"we accepted {what}", _check_our_proof, proof.decode(), entry, key)
        parsed = parse_tlog_proof(proof)
        cases.append(
            _sigstore_case(small_log, index)
            | {
                "index": parsed.index,
                "hashes": [each.hex() for each in parsed.hashes],
                "checkpoint": parsed.checkpoint.decode(),
            }
        )
    good = small_log.proof(index).decode()
    _check_our_proof(good, entry, key)
    for other in (small_log.entries[index + 1], flip(entry, 0), entry + b"\0"):
        _refuse("proofbundle accepted another entry", _check_their_proof, good, other, key)
        _refuse("we accepted another entry", _check_our_proof, good, other, key)
        cases.append(_sigstore_case(small_log, index) | {"entry": other.hex()})
    answers = verifiers.judge_with_node("verify_sigstore.mjs", cases)
    assert [answer for answer in answers if not answer.startswith("refused")] == []


def test_tampered_tiles_are_refused(small_log: SampleLog, tmp_path: Path) -> None:
    """A changed byte in a hash tile or an entry bundle is noticed by the other tile client and by us."""
    vkey = format_vkey(small_log.keys.ed25519_vkey)
    small_log.write(tmp_path)
    paths = sorted(path for path in (tmp_path / "tile").rglob("*") if path.is_file())
    assert len(paths) == 5  # two tiles of leaves, one above them, two bundles
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(flip(content, len(content) // 2))
        _refuse(
            f"tlog-scales accepted {path.relative_to(tmp_path)}", _read_all, tmp_path, vkey, small_log.size
        )
        path.write_bytes(content)
    for place, content in small_log.tiles.items():
        tiles = type(small_log.tiles)(small_log.tiles)
        tiles[place] = flip(content, len(content) - 5)
        roots = {tree_root(tiles, small_log.size), _root_from_leaves(tiles, small_log)}
        assert roots != {small_log.root()}


def _root_from_leaves(tiles: dict[tuple[int, int], bytes], log: SampleLog) -> bytes:
    """The root over the hashes in the lowest tiles: a full tile above repeats what is below it."""
    leaves = b"".join(tiles[0, index] for index in range((log.size + 255) // 256))
    return tree_root_of([leaves[start : start + 32] for start in range(0, len(leaves), 32)])
