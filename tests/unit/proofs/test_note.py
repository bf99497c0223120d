"""Signed notes and verifier keys."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.note import (
    ALG_COSIGNATURE,
    ALG_ED25519,
    ALG_EIP712,
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    check_ed25519,
    decode_base64,
    encode_base64,
    find_signature,
    format_note,
    format_vkey,
    make_vkey,
    parse_note,
    parse_vkey,
)
from tests.unit.proofs.strategies import vkeys

# The example of C2SP signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
LINE = (
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
NOTE = f"This is an example message.\n\n{LINE}".encode()
KEY = parse_vkey(VKEY)

note_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")).map(
    lambda text: text + "\n"
)
signatures = st.builds(
    Signature,
    st.from_regex(r"[a-z./\u00e9]{1,12}", fullmatch=True),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=1, max_size=80),
)


def test_example_of_the_specification() -> None:
    """The note that C2SP signed-note prints verifies under the key that it prints."""
    note = parse_note(NOTE)
    check_ed25519(note, KEY)
    assert format_note(note) == NOTE
    assert format_vkey(KEY) == VKEY
    assert note.text == "This is an example message.\n"


@given(note_texts, st.lists(signatures, min_size=1, max_size=5))
def test_note_round_trip(text: str, lines: list[Signature]) -> None:
    """Text and signatures are read back, empty lines within the text included."""
    note = Note(text, tuple(lines))
    assert parse_note(format_note(note)) == note


@given(vkeys())
def test_vkey_round_trip(key: VerifierKey) -> None:
    """Every key is read back from its text."""
    assert parse_vkey(format_vkey(key)) == key


@pytest.mark.parametrize(
    ("alg", "size"), [(ALG_ED25519, 32), (ALG_COSIGNATURE, 32), (ALG_MLDSA44, 1312), (ALG_EIP712, 33)]
)
def test_key_id_formula(alg: bytes, size: int) -> None:
    """A key id is SHA-256(name || 0x0A || type || key)[:4], so that types with one key have different ids."""
    key = make_vkey("example.com/é", alg=alg, public_key=b"k" * size)
    assert key.key_id == sha256("example.com/é".encode() + b"\n" + alg + b"k" * size).digest()[:4]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"text\n", b"text\n\n", NOTE[:-1], NOTE + b"\n", NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"\n\n", b"\n"), NOTE.replace(b"an", b"a\tn"), NOTE.replace(b"an", b"a\x00n"),
        NOTE.replace(b"an", b"\xff"), NOTE.replace("\u2014".encode(), b"-"),
        NOTE.replace(b"foo Uw", b"foo  Uw"),
        NOTE.replace(b"foo Uw", b"f+o Uw"), NOTE.replace(b"foo Uw", b"f\xc2\xa0o Uw"),
        NOTE.replace(b"aQM=", b"aQM"),
        NOTE.replace(b"aQM=", b"aQN="), NOTE.replace(b"aQM=", b"aQ-="), NOTE.replace(b"aQM=", b"aQM= "),
        b"text\n\n" + "\u2014 a AAAA\n".encode(), b"text\n\n" + "\u2014  AAAAAAA=\n".encode(),
        b"text\n\n" + "\u2014 a AAAAAAA=\n".encode() * 65, b"x" * (1 << 20) + NOTE,
    ],
)  # fmt: skip
def test_other_notes(data: bytes) -> None:
    """A note in any other form is refused: line ends, control characters, names, base64, size, count."""
    with pytest.raises(MalformedError):
        parse_note(data)


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a note that formats back to them, or malformed."""
    try:
        note = parse_note(data)
    except MalformedError:
        return
    assert format_note(note) == data


def test_64_signatures_are_read() -> None:
    """Notes with many signatures are read, as the specification asks of 16."""
    lines = tuple(Signature(f"k{number}", b"abcd", b"x") for number in range(64))
    assert len(parse_note(format_note(Note("a\n", lines))).signatures) == 64


@pytest.mark.parametrize(
    "note", [Note("no newline", (Signature("a", b"abcd", b"x"),)), Note("a\n", ()), Note("a\t\n", ())]
)
def test_impossible_notes(note: Note) -> None:
    """A note that would not parse is not written."""
    with pytest.raises(MalformedError):
        format_note(note)


@pytest.mark.parametrize(
    "text",
    [
        "", "example.com/foo", VKEY + "\n", VKEY.replace("+", " "), VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("530d903a", "530d903b"), VKEY.replace("530d903a", "0530d903a"),
        VKEY.replace("foo", "fo o"),
        VKEY.replace("+Ae", "+Ce"), VKEY.replace("foo", "bar"), VKEY.replace("example.com/foo", ""),
        VKEY + "=",
        VKEY[:-4], VKEY + "AAAA", "a+00000000+", "a+00000000+Ag==", "a\ud800+00000000+AAAA",
        VKEY.replace("U2k", "U2l="),
    ],
)  # fmt: skip
def test_other_vkeys(text: str) -> None:
    """A key of unknown type, wrong length, foreign id or another spelling is refused."""
    with pytest.raises(MalformedError):
        parse_vkey(text)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "\x7f", "é" * 128, "\ud800"]
)
def test_impossible_key_names(name: str) -> None:
    """A key name without characters, with spaces or plus, or too long for a cosigned message is refused."""
    with pytest.raises(MalformedError):
        make_vkey(name, alg=ALG_ED25519, public_key=bytes(32))


def test_tampered_text_and_signature() -> None:
    """A changed text, a changed signature and a missing line do not verify."""
    note = parse_note(NOTE)
    line = note.signatures[0]
    changed = bytes([line.payload[0] ^ 1]) + line.payload[1:]
    for bad in (
        replace(note, text="This is another message.\n"),
        replace(note, signatures=(replace(line, payload=changed),)),
        replace(note, signatures=(replace(line, payload=line.payload[:-1]),)),
        replace(note, signatures=(replace(line, name="example.com/bar"),)),
        replace(note, signatures=(replace(line, key_id=b"abcd"),)),
    ):
        with pytest.raises(SignatureError):
            check_ed25519(bad, KEY)


def test_two_lines_by_one_key() -> None:
    """A key that seems to have signed twice is refused, so that no reader can pick a line."""
    note = parse_note(NOTE + LINE.encode())
    with pytest.raises(SignatureError):
        find_signature(note, KEY)


def test_key_of_another_type() -> None:
    """An Ed25519 check under a key of another type is refused."""
    other = make_vkey("example.com/foo", alg=ALG_MLDSA44, public_key=bytes(1312))
    line = Signature(other.name, other.key_id, bytes(64))
    with pytest.raises(SignatureError):
        check_ed25519(Note("a\n", (line,)), other)


def test_key_that_is_no_point() -> None:
    """A public key of the right length that is no curve point refuses every signature."""
    key = make_vkey("a", alg=ALG_ED25519, public_key=b"\xff" * 32)
    with pytest.raises(SignatureError):
        check_ed25519(Note("a\n", (Signature("a", key.key_id, bytes(64)),)), key)


@given(st.binary(max_size=60), st.text("abc\n\u00e9", max_size=10))
def test_own_signatures_verify(seed: bytes, text: str) -> None:
    """What an Ed25519 key signs verifies under its key."""
    private = Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())
    public = private.public_key().public_bytes_raw()
    key = make_vkey("example.com/log", alg=ALG_ED25519, public_key=public)
    whole = text + "\n"
    note = Note(whole, (Signature(key.name, key.key_id, private.sign(whole.encode())),))
    check_ed25519(parse_note(format_note(note)), key)


@given(st.binary(max_size=60))
def test_base64_round_trip(data: bytes) -> None:
    """Bytes are read back from standard base64 with padding."""
    assert decode_base64(encode_base64(data), size=len(data)) == data


@pytest.mark.parametrize("text", ["A", "AA", "AB==", "A_==", "AA==\n", "AA== ", "é", "AAAAA==="])
def test_base64_has_one_form(text: str) -> None:
    """Every other spelling is refused."""
    with pytest.raises(MalformedError):
        decode_base64(text)
