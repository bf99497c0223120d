"""Checkpoints (C2SP tlog-checkpoint, exactly three lines) and cosignatures on them (tlog-cosignature)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.entry import ORIGIN
from ledger_service.proofs.note import (
    ALG_COSIGNATURE,
    ALG_ED25519,
    ALG_MLDSA44,
    Note,
    VerifierKey,
    check_ed25519,
    check_ed25519_signature,
    decode_base64,
    encode_base64,
    find_signature,
)
from ledger_service.proofs.types import Origin, RootHash, TreeSize

MAX_SIZE = 2**63 - 1
MAX_TIMESTAMP = 2**63 - 1
MLDSA44_SIGNATURE_SIZE = 2420

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LABEL = b"subtree/v1\n\x00"
_TEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement that its tree has this size and this 32-byte root."""

    origin: Origin
    size: TreeSize
    root: RootHash


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the note text: origin, size and base64 root, a line each; raises MalformedError."""
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"
    parse_checkpoint(text)
    return text


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that `format_checkpoint` writes as `text`; raises MalformedError."""
    lines = text.split("\n")
    if len(lines) != _TEXT_LINES + 1 or lines[-1]:
        raise MalformedError("A checkpoint has exactly three lines: origin, size and root.")
    origin, size, root = lines[:_TEXT_LINES]
    if ORIGIN.fullmatch(origin) is None:
        raise MalformedError("The origin is not 1 to 255 printable ASCII characters without space and plus.")
    return Checkpoint(Origin(origin), TreeSize(parse_size(size)), RootHash(decode_base64(root, size=32)))


def parse_size(text: str) -> int:
    """Return a decimal number without sign or leading zero, at most 2^63 - 1; raises MalformedError."""
    if _SIZE.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise MalformedError("A number is not a decimal from 0 to 2^63 - 1 in its one form.")
    return int(text)


def cosigned_message(cosigner_name: str, *, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """Return the `cosigned_message` structure of tlog-cosignature that an ML-DSA-44 cosigner signs."""
    name, origin = cosigner_name.encode(), checkpoint.origin.encode()
    return b"".join((
        _LABEL,
        struct.pack(">B", len(name)), name,
        struct.pack(">Q", timestamp),
        struct.pack(">B", len(origin)), origin,
        struct.pack(">QQ", 0, checkpoint.size),
        checkpoint.root,
    ))  # fmt: skip


def format_cosignature_payload(timestamp: int, signature: bytes) -> bytes:
    """Return a `timestamped_signature`: seconds since 1970 (1 to 2^63 - 1), then the signature."""
    if not 1 <= timestamp <= MAX_TIMESTAMP:
        raise MalformedError("A cosignature's timestamp is from 1 to 2^63 - 1.")
    return struct.pack(">Q", timestamp) + signature


def parse_cosignature_payload(payload: bytes) -> tuple[int, bytes]:
    """Return timestamp and signature of a `timestamped_signature`; raises MalformedError."""
    timestamp = int.from_bytes(payload[:8])
    if format_cosignature_payload(timestamp, payload[8:]) != payload:
        raise MalformedError("A cosignature is cut short.")
    return timestamp, payload[8:]


def check_mldsa(note: Note, key: VerifierKey) -> int:
    """Return the time (seconds since 1970) at which `key` (type 0x06) cosigned; raises SignatureError."""
    if key.alg != ALG_MLDSA44:
        raise SignatureError("The verifier key is not an ML-DSA-44 key.", key=key.name)
    timestamp, signature = _cosignature(note, key)
    message = cosigned_message(key.name, timestamp=timestamp, checkpoint=parse_checkpoint(note.text))
    try:
        MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError(key=key.name) from None
    return timestamp


def check_cosignature(note: Note, key: VerifierKey) -> int:
    """Return the time at which `key` (type 0x04, Ed25519) cosigned the checkpoint; raises SignatureError."""
    if key.alg != ALG_COSIGNATURE:
        raise SignatureError("The verifier key is not an Ed25519 cosignature key.", key=key.name)
    timestamp, signature = _cosignature(note, key)
    message = f"cosignature/v1\ntime {timestamp}\n{note.text}".encode()
    check_ed25519_signature(message, signature=signature, key=key)
    return timestamp


def check_signature(note: Note, key: VerifierKey) -> int | None:
    """Return the time, if the type states one, at which `key` signed; raises SignatureError."""
    if key.alg == ALG_MLDSA44:
        return check_mldsa(note, key)
    if key.alg == ALG_COSIGNATURE:
        return check_cosignature(note, key)
    if key.alg == ALG_ED25519:
        check_ed25519(note, key)
        return None
    raise SignatureError("The kernel cannot check signatures of this type.", key=key.name)


def stated_time(note: Note, key: VerifierKey) -> int:
    """Return the time in the line of a cosigner's key, whose signature nobody has checked; raises SignatureError."""
    return _cosignature(note, key)[0]


def _cosignature(note: Note, key: VerifierKey) -> tuple[int, bytes]:
    line = find_signature(note, key)
    if line is None:
        raise SignatureError("The checkpoint is not cosigned by this key.", key=key.name)
    try:
        return parse_cosignature_payload(line.payload)
    except MalformedError as error:
        raise SignatureError(error.text, key=key.name) from None
