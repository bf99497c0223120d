"""A sealed payload opens under its key and at its record, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import SealError
from ledger_service.vault.envelope import SUITE, SealContext, hkdf_sha256, open_, seal

if TYPE_CHECKING:
    import random

KEY = bytes(range(32))
SALT = bytes(range(32, 64))
CONTEXT = SealContext("ledger.example/logs/city/purchases", "A" * 22, "purchase/v1", 1, b"c" * 32)

keys = st.binary(min_size=32, max_size=32)
contexts = st.builds(
    SealContext,
    log=st.text(max_size=40),
    id=st.text(max_size=24),
    kind=st.text(max_size=24),
    generation=st.integers(0, 2**32 - 1),
    commitment=st.none() | keys,
)


@given(key=keys, payload=st.binary(max_size=2_000), salt=keys, context=contexts)
def test_what_was_sealed_opens(key: bytes, payload: bytes, salt: bytes, context: SealContext) -> None:
    """Any payload comes back from any key, salt and record."""
    assert open_(key, seal(key, payload, salt=salt, context=context), salt=salt, context=context) == payload


@given(first=contexts, second=contexts)
def test_no_record_opens_another_s(first: SealContext, second: SealContext) -> None:
    """A payload sealed for one record opens for no record that differs in any field."""
    sealed = seal(KEY, b"payload", salt=SALT, context=first)
    if first == second:
        assert open_(KEY, sealed, salt=SALT, context=second) == b"payload"
    else:
        with pytest.raises(SealError):
            open_(KEY, sealed, salt=SALT, context=second)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, log="ledger.example/logs/city/purchase"),
        replace(CONTEXT, log="ledger.example/logs/city/purchasesA", id="A" * 21),
        replace(CONTEXT, id="A" * 21 + "B"),
        replace(CONTEXT, id="A" * 21, kind="Apurchase/v1"),
        replace(CONTEXT, kind="purchase/v2"),
        replace(CONTEXT, generation=2),
        replace(CONTEXT, commitment=b"d" * 32),
        replace(CONTEXT, commitment=None),
    ],
)
def test_swapped_record_is_refused(other: SealContext) -> None:
    """A payload moved to another log, id, kind, key generation or commitment does not open there."""
    sealed = seal(KEY, b"payload", salt=SALT, context=CONTEXT)
    with pytest.raises(SealError):
        open_(KEY, sealed, salt=SALT, context=other)


def test_every_flipped_bit_is_noticed() -> None:
    """Whichever single bit of the sealed bytes, the key or the salt is flipped, nothing opens."""
    sealed = seal(KEY, b"a payload", salt=SALT, context=CONTEXT)
    for source, position in [("sealed", len(sealed)), ("key", 32), ("salt", 32)]:
        for bit in range(position * 8):
            parts = {"sealed": bytearray(sealed), "key": bytearray(KEY), "salt": bytearray(SALT)}
            parts[source][bit // 8] ^= 1 << bit % 8
            with pytest.raises(SealError):
                open_(bytes(parts["key"]), bytes(parts["sealed"]), salt=bytes(parts["salt"]), context=CONTEXT)


@pytest.mark.parametrize("length", range(29))
def test_short_bytes_are_refused(length: int) -> None:
    """Bytes that are too short to be a sealed payload are refused with the same error."""
    sealed = seal(KEY, b"", salt=SALT, context=CONTEXT)
    with pytest.raises(SealError):
        open_(KEY, sealed[:length], salt=SALT, context=CONTEXT)


@pytest.mark.parametrize(
    ("key", "salt"), [(KEY[:31], SALT), (KEY, SALT[:31]), (b"", SALT), (KEY, SALT + b"\x00")]
)
def test_keys_and_salts_have_their_size(key: bytes, salt: bytes) -> None:
    """A key or a salt of another size is refused, by sealing and by opening."""
    with pytest.raises(SealError):
        seal(key, b"payload", salt=salt, context=CONTEXT)
    with pytest.raises(SealError):
        open_(key, seal(KEY, b"payload", salt=SALT, context=CONTEXT), salt=salt, context=CONTEXT)


def test_sealing_twice_gives_other_bytes() -> None:
    """Even under one salt, two sealings share neither nonce nor ciphertext."""
    sealed = {seal(KEY, b"payload", salt=SALT, context=CONTEXT) for _ in range(100)}
    assert len({each[1:13] for each in sealed}) == 100
    assert len({each[13:] for each in sealed}) == 100


def test_layout_is_the_documented_one() -> None:
    """The bytes can be opened from the documentation alone, with somebody else's HKDF."""
    nonce = bytes(12)
    sealed = seal(KEY, b"payload", salt=SALT, context=CONTEXT, entropy=lambda size: nonce[:size])
    log, number = CONTEXT.log.encode(), CONTEXT.id.encode()
    framed = SUITE + bytes([0, len(log)]) + log + bytes([0, len(number)]) + number
    record_key = HKDF(hashes.SHA256(), 32, SALT, framed).derive(KEY)
    kind = CONTEXT.kind.encode()
    aad = framed + bytes([0, len(kind)]) + kind + (1).to_bytes(4, "big") + b"\x00\x20" + b"c" * 32
    assert sealed == b"\x01" + nonce + AESGCM(record_key).encrypt(nonce, b"payload", aad)


@given(key=st.binary(max_size=100), salt=st.binary(min_size=1, max_size=100), info=st.binary(max_size=100))
def test_own_hkdf_agrees_with_the_library_s(key: bytes, salt: bytes, info: bytes) -> None:
    """The short HKDF gives what the general one gives."""
    assert hkdf_sha256(key, salt=salt, info=info) == HKDF(hashes.SHA256(), 32, salt, info).derive(key)


@pytest.mark.parametrize(
    ("key", "salt", "info", "output"),
    [
        # RFC 5869, appendix A.1 to A.3, the first 32 bytes of the output.
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        ),
        (b"\x0b" * 22, b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
    ],
)
def test_own_hkdf_gives_the_rfc_s_vectors(key: bytes, salt: bytes, info: bytes, output: str) -> None:
    """The test cases of RFC 5869 come out."""
    assert hkdf_sha256(key, salt=salt, info=info).hex() == output


def test_random_records_do_not_open_each_other(rng: random.Random) -> None:
    """Of a hundred records of one subject, none opens with the salt of another."""
    salts = [rng.randbytes(32) for _ in range(100)]
    sealed = [seal(KEY, b"payload", salt=salt, context=CONTEXT) for salt in salts]
    for index, each in enumerate(sealed):
        with pytest.raises(SealError):
            open_(KEY, each, salt=salts[index - 1], context=CONTEXT)
