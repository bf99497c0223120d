"""Signing keys rest encrypted, one file each, and come back as what they were made for."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import KeyFileError, KeyUnavailableError
from ledger_service.vault.signing_keys import ED25519, SECP256K1, KeyLabel, SigningKeyFiles
from ledger_service.vault.wrapping import KeyEncryptionKey

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).parents[3]
ORIGIN = "ledger.example/logs/city-open-data/purchases"
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


@pytest.fixture
def files(tmp_path: Path, kek: KeyEncryptionKey) -> SigningKeyFiles:
    """A directory of keys that does not exist yet."""
    return SigningKeyFiles(tmp_path / "keys", kek)


def test_keys_of_a_log_come_back(files: SigningKeyFiles) -> None:
    """The keys made when a log is opened are those it has later, all different."""
    made = files.open_log_keys(ORIGIN)
    again = files.log_keys(ORIGIN)
    assert again == made
    every = (made.head_ed25519, made.head_ml_dsa_44, made.head_secp256k1, made.status, made.acceptance)
    assert len({key.secret for key in every}) == 5
    assert files.open_log_keys(ORIGIN) == made


def test_keys_sign(files: SigningKeyFiles) -> None:
    """Each key signs in its own algorithm, and what it signs verifies under its public key."""
    keys = files.open_log_keys(ORIGIN)
    for key in (keys.head_ed25519, keys.status, keys.acceptance):
        key.ed25519().public_key().verify(key.ed25519().sign(b"message"), b"message")
    ml_dsa = keys.head_ml_dsa_44.ml_dsa_44()
    ml_dsa.public_key().verify(ml_dsa.sign(b"message"), b"message")
    assert len(ml_dsa.public_key().public_bytes_raw()) == 1_312
    assert 0 < int.from_bytes(keys.head_secp256k1.secp256k1(), "big") < ORDER


def test_key_signs_in_no_other_algorithm(files: SigningKeyFiles) -> None:
    """A key refuses to be used in an algorithm that it was not made for."""
    keys = files.open_log_keys(ORIGIN)
    for use in (keys.head_ed25519.ml_dsa_44, keys.head_ml_dsa_44.secp256k1, keys.head_secp256k1.ed25519):
        with pytest.raises(KeyFileError):
            use()


def test_files_are_private_and_encrypted(tmp_path: Path, files: SigningKeyFiles) -> None:
    """Key files have mode 0600 in a directory of 0700 and hold no secret in clear."""
    keys = files.open_log_keys(ORIGIN)
    paths = sorted((tmp_path / "keys").iterdir())
    assert len(paths) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    stored = b"".join(path.read_bytes() for path in paths)
    for key in (keys.head_ed25519, keys.head_ml_dsa_44, keys.head_secp256k1, keys.status, keys.acceptance):
        assert key.secret not in stored
        assert key.secret.hex().encode() not in stored


def test_lost_key_is_not_made_again(tmp_path: Path, files: SigningKeyFiles) -> None:
    """A log that exists and lacks a key file says so; nothing signs in its stead."""
    files.open_log_keys(ORIGIN)
    next((tmp_path / "keys").glob("status-*")).unlink()
    with pytest.raises(KeyFileError, match="status"):
        files.log_keys(ORIGIN)


def test_files_cannot_be_exchanged(tmp_path: Path, files: SigningKeyFiles) -> None:
    """A file under another key's name is refused, also when its clear lines are changed to fit."""
    files.open_log_keys(ORIGIN)
    status = next((tmp_path / "keys").glob("status-*"))
    acceptance = next((tmp_path / "keys").glob("acceptance-*"))
    content = acceptance.read_text()
    status.write_text(content)
    with pytest.raises(KeyFileError, match="another key"):
        files.log_keys(ORIGIN)
    status.write_text(content.replace("\nacceptance\n", "\nstatus\n"))
    with pytest.raises(KeyUnavailableError):
        files.log_keys(ORIGIN)


@pytest.mark.parametrize(
    "content", ["", "x", "audit-ledger/signing-key/v1\n", "a\nb\nc\nd\n!\n", "a\nb\nc\nd\n\udcff\n"]
)
def test_other_content_is_refused(tmp_path: Path, files: SigningKeyFiles, content: str) -> None:
    """A file that is no key file is refused with its name."""
    label = KeyLabel(ORIGIN, "status", ED25519)
    files.create(label)
    (tmp_path / "keys" / label.file_name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(KeyFileError, match="status-"):
        files.load(label)


def test_wrong_kek_is_a_typed_error(tmp_path: Path, files: SigningKeyFiles, rng: random.Random) -> None:
    """Under another key-encryption key the keys are unavailable, and none is made in their place."""
    files.open_log_keys(ORIGIN)
    stranger = SigningKeyFiles(tmp_path / "keys", KeyEncryptionKey.from_bytes(rng.randbytes(32)))
    with pytest.raises(KeyUnavailableError):
        stranger.open_log_keys(ORIGIN)


def test_scalar_outside_the_group_is_drawn_again(tmp_path: Path, kek: KeyEncryptionKey) -> None:
    """Zero and numbers from the group's order on are no secp256k1 keys; the next draw counts."""
    draws = iter([bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32, (ORDER - 1).to_bytes(32, "big")])
    files = SigningKeyFiles(tmp_path / "keys", kek, entropy=lambda _size: next(draws))
    assert files.create(KeyLabel("chain", "publisher", SECP256K1)).secp256k1() == (ORDER - 1).to_bytes(
        32, "big"
    )


def test_publisher_key_is_made_at_first_use(files: SigningKeyFiles) -> None:
    """Each chain has one publisher key of its own."""
    assert files.publisher_key("1337") == files.publisher_key("1337")
    assert files.publisher_key("1337") != files.publisher_key("1")


def test_interrupted_opening_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Killed after two of five keys, opening again keeps those two and makes the others."""
    raw = b"k" * 32
    script = (
        "import pathlib, sys; from ledger_service.storage import failpoints\n"
        "from ledger_service.vault.signing_keys import SigningKeyFiles\n"
        "from ledger_service.vault.wrapping import KeyEncryptionKey\n"
        "failpoints.arm('vault.key-file=kill-after:2')\n"
        f"kek = KeyEncryptionKey.from_bytes({raw!r})\n"
        f"SigningKeyFiles(pathlib.Path(sys.argv[1]), kek).open_log_keys({ORIGIN!r})\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, tmp_path / "keys"], cwd=ROOT, check=False)
    assert ran.returncode == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").glob("[!.]*")}
    assert len(before) == 2
    made = SigningKeyFiles(tmp_path / "keys", KeyEncryptionKey.from_bytes(raw)).open_log_keys(ORIGIN)
    assert {name: (tmp_path / "keys" / name).read_bytes() for name in before} == before
    assert SigningKeyFiles(tmp_path / "keys", KeyEncryptionKey.from_bytes(raw)).log_keys(ORIGIN) == made
