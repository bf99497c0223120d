"""Signed notes and verifier keys (C2SP signed-note): a text, a blank line, one line for each signature.

    — <key name> base64(key id || signature)

Standard base64 occurs only here and in the C2SP formats built on it.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger_service.errors import MalformedError, SignatureError

ALG_ED25519 = b"\x01"
ALG_COSIGNATURE = b"\x04"  # tlog-cosignature with Ed25519: what today's public witnesses sign with
ALG_MLDSA44 = b"\x06"
ALG_EIP712 = b"\xffaudit-ledger/eip712-checkpoint/v1"

PUBLIC_KEY_SIZES = {ALG_ED25519: 32, ALG_COSIGNATURE: 32, ALG_MLDSA44: 1312, ALG_EIP712: 33}
KEY_ID_SIZE = 4
MAX_NAME_SIZE = 255  # what a cosigned message has room for
MAX_NOTE_SIZE = 1 << 20
MAX_SIGNATURES = 64

_KEY_NAME = re.compile(r"[^\s+\x00-\x20\x7f\ud800-\udfff]+")
_SIGNATURE_LINE = re.compile(r"\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and 4-byte id by which signature lines refer to it; see `make_vkey`."""

    name: str
    key_id: bytes
    alg: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line; `payload` is what follows the key id."""

    name: str
    key_id: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text ending in a newline and the signatures over it, none of them checked yet."""

    text: str
    signatures: tuple[Signature, ...]


def make_vkey(name: str, *, alg: bytes, public_key: bytes) -> VerifierKey:
    """Return the key with its id, SHA-256(name || 0x0A || alg || public key)[:4]; raises MalformedError."""
    if PUBLIC_KEY_SIZES.get(alg) != len(public_key):
        raise MalformedError("The verifier key is of an unknown type or of the wrong length.")
    if _KEY_NAME.fullmatch(name) is None or len(name.encode()) > MAX_NAME_SIZE:
        raise MalformedError(
            "A key name is empty, too long, or holds a space, a plus or a control character."
        )
    key_id = sha256(name.encode() + b"\n" + alg + public_key).digest()[:KEY_ID_SIZE]
    return VerifierKey(name, key_id, alg, public_key)


def format_vkey(key: VerifierKey) -> str:
    """Return `<name>+<hex key id>+<base64 of alg || public key>`."""
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(key.alg + key.public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """Return the key that `format_vkey` writes as `text`; raises MalformedError."""
    match = _VKEY.fullmatch(text)
    if match is None:
        raise MalformedError("The text is not a verifier key.")
    material = decode_base64(match[3])
    for alg in PUBLIC_KEY_SIZES:
        if material.startswith(alg):
            key = make_vkey(match[1], alg=alg, public_key=material[len(alg) :])
            if key.key_id.hex() != match[2]:
                raise MalformedError("The verifier key's id does not belong to its name and key.")
            return key
    raise MalformedError("The verifier key is of an unknown type.")


def format_note(note: Note) -> bytes:
    """Return the note's bytes; raises MalformedError when they would not parse."""
    lines = [
        f"\u2014 {signature.name} {encode_base64(signature.key_id + signature.payload)}\n"
        for signature in note.signatures
    ]
    data = f"{note.text}\n{''.join(lines)}".encode()
    parse_note(data)
    return data


def parse_note(data: bytes) -> Note:
    """Return text and signatures of a note of at most 1 MiB and 64 signatures; raises MalformedError."""
    try:
        whole = data[: MAX_NOTE_SIZE + 1].decode()
    except UnicodeDecodeError:
        raise MalformedError("The note is not UTF-8.") from None
    text, separator, tail = whole.rpartition("\n\n")
    # The pattern of a signature line lets no control character through, so that only the text is searched.
    if len(data) > MAX_NOTE_SIZE or _CONTROL.search(text):
        raise MalformedError("The note is too large or holds a control character.")
    lines = tail.split("\n")
    if not separator or lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise MalformedError("The note has no text, a blank line and 1 to 64 signature lines.")
    return Note(text + "\n", tuple(_parse_line(line) for line in lines))


def find_signature(note: Note, key: VerifierKey) -> Signature | None:
    """Return the line that `key` made, or None; raises SignatureError when it has made two."""
    found = [line for line in note.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
    if len(found) > 1:
        raise SignatureError("The note has two signatures by the same key.", key=key.name)
    return found[0] if found else None


def check_ed25519(note: Note, key: VerifierKey) -> None:
    """Return when `key` (type 0x01) signed the note's text; raises SignatureError."""
    signature = find_signature(note, key)
    if signature is None:
        raise SignatureError("The note is not signed by this key.", key=key.name)
    check_ed25519_signature(note.text.encode(), signature=signature.payload, key=key)


def check_ed25519_signature(message: bytes, *, signature: bytes, key: VerifierKey) -> None:
    """Return when the 64-byte signature over `message` is by `key`; raises SignatureError."""
    if key.alg not in {ALG_ED25519, ALG_COSIGNATURE}:
        raise SignatureError("The verifier key is not an Ed25519 key.", key=key.name)
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError(key=key.name) from None


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return b2a_base64(data, newline=False).decode()


def decode_base64(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes whose base64 is exactly `text`, `size` of them if given; raises MalformedError."""
    try:
        data = a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, Base64Error):
        raise MalformedError("The text is not base64 in its one form.") from None
    if encode_base64(data) != text:
        raise MalformedError("The text is not base64 in its one form.")
    if size is not None and len(data) != size:
        raise MalformedError(f"Expected {size} bytes in base64, got {len(data)}.")
    return data


def _parse_line(line: str) -> Signature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None or _KEY_NAME.fullmatch(match[1]) is None:
        raise MalformedError("A line below the text is not a signature line.")
    data = decode_base64(match[2])
    if len(data) <= KEY_ID_SIZE:
        raise MalformedError("A signature is empty.")
    return Signature(match[1], data[:KEY_ID_SIZE], data[KEY_ID_SIZE:])
