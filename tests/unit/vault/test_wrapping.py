"""The key-encryption key wraps, names itself, and gives a typed error instead of garbage."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import KeyFileError, KeyUnavailableError
from ledger_service.vault.wrapping import KeyEncryptionKey, create_kek, load_kek

if TYPE_CHECKING:
    import random
    from pathlib import Path


def test_wrapped_key_comes_back(kek: KeyEncryptionKey) -> None:
    """A wrapped key unwraps to itself for the same purpose."""
    assert kek.unwrap(kek.wrap(b"k" * 32, purpose=b"test"), purpose=b"test") == b"k" * 32


def test_another_purpose_is_refused(kek: KeyEncryptionKey) -> None:
    """A key wrapped for one purpose does not unwrap for another."""
    with pytest.raises(KeyUnavailableError, match="elsewhere"):
        kek.unwrap(kek.wrap(b"k" * 32, purpose=b"test"), purpose=b"tests")


def test_another_kek_is_named(kek: KeyEncryptionKey, rng: random.Random) -> None:
    """With the wrong key-encryption key the error says which one is wanted and which is here."""
    other = KeyEncryptionKey.from_bytes(rng.randbytes(32))
    with pytest.raises(KeyUnavailableError, match="another") as caught:
        other.unwrap(kek.wrap(b"k" * 32, purpose=b"test"), purpose=b"test")
    assert caught.value.details == {"wanted": kek.id.hex(), "present": other.id.hex()}


def test_every_flipped_bit_is_noticed(kek: KeyEncryptionKey) -> None:
    """Whichever bit of a wrapped key is flipped, header included, it does not unwrap."""
    wrapped = kek.wrap(b"k" * 32, purpose=b"test")
    for bit in range(len(wrapped) * 8):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyUnavailableError):
            kek.unwrap(bytes(changed), purpose=b"test")


@pytest.mark.parametrize("length", [0, 1, 12, 13, 25, 72, 74])
def test_other_lengths_are_refused(kek: KeyEncryptionKey, length: int) -> None:
    """Bytes that cannot be a wrapped key are refused as damaged."""
    wrapped = kek.wrap(b"k" * 32, purpose=b"test") + b"\x00"
    with pytest.raises(KeyUnavailableError, match="damaged"):
        kek.unwrap(wrapped[:length], purpose=b"test")


def test_only_whole_keys_are_wrapped(kek: KeyEncryptionKey) -> None:
    """A key of another size is neither wrapped nor taken as key-encryption key."""
    with pytest.raises(KeyUnavailableError):
        kek.wrap(b"short", purpose=b"test")
    with pytest.raises(KeyUnavailableError):
        KeyEncryptionKey.from_bytes(b"short")


def test_made_key_is_loaded_again(tmp_path: Path) -> None:
    """The file made at first start gives the same key at the next, and only its owner may read it."""
    path = tmp_path / "keys" / "kek"
    made = create_kek(path)
    assert load_kek(path) == made
    assert load_kek(path).unwrap(made.wrap(b"k" * 32, purpose=b"test"), purpose=b"test") == b"k" * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_existing_key_is_never_replaced(tmp_path: Path) -> None:
    """Making a key where there is one fails and leaves the old one."""
    path = tmp_path / "kek"
    made = create_kek(path)
    with pytest.raises(FileExistsError):
        create_kek(path)
    assert load_kek(path) == made
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"audit-ledger/kek/v1 1 " + b"A" * 43,
        b"audit-ledger/kek/v1 1 " + b"A" * 42 + b"\n",
        b"audit-ledger/kek/v1 0 " + b"A" * 43 + b"\n",
        b"audit-ledger/kek/v1 01 " + b"A" * 43 + b"\n",
        b"audit-ledger/kek/v2 1 " + b"A" * 43 + b"\n",
        b"audit-ledger/kek/v1 1 " + b"A" * 43 + b"\n\n",
        b"A" * 100_000,
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is not exactly one key is refused."""
    path = tmp_path / "kek"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_kek(path)


def test_generation_is_kept_in_the_file_and_in_what_is_wrapped(tmp_path: Path) -> None:
    """A rotated key says its generation, and so does everything that it wraps."""
    path = tmp_path / "kek"
    path.write_bytes(b"audit-ledger/kek/v1 7 " + b"A" * 43 + b"\n")
    path.chmod(0o600)
    kek = load_kek(path)
    assert kek.generation == 7
    assert int.from_bytes(kek.wrap(b"k" * 32, purpose=b"")[1:5], "big") == 7


def test_nonces_do_not_repeat(kek: KeyEncryptionKey) -> None:
    """Wrapping the same key again and again repeats no nonce."""
    assert len({kek.wrap(b"k" * 32, purpose=b"test")[13:25] for _ in range(10_000)}) == 10_000
