"""A secret's file appears whole or not at all, and only its owner may open it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_service.errors import InjectedFaultError, KeyFileError
from ledger_service.storage import failpoints
from ledger_service.vault.secret_files import create_secret_file, read_secret_file

ROOT = Path(__file__).parents[3]


def test_content_comes_back(tmp_path: Path) -> None:
    """What was written is read, and no draft is left."""
    create_secret_file(tmp_path / "deep" / "er" / "key", b"secret")
    assert read_secret_file(tmp_path / "deep" / "er" / "key") == b"secret"
    assert [each.name for each in (tmp_path / "deep" / "er").iterdir()] == ["key"]
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o644, 0o666])
def test_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    """Any permission for group or others makes the key unusable, by name."""
    create_secret_file(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_secret_file(tmp_path / "key")


def test_link_and_directory_are_refused(tmp_path: Path) -> None:
    """A symbolic link, a directory and a missing file are no key files."""
    create_secret_file(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("link", "folder", "missing"):
        with pytest.raises(KeyFileError):
            read_secret_file(tmp_path / name)


def test_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """No key is put where others could replace it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(KeyFileError, match="chmod 700"):
        create_secret_file(tmp_path / "shared" / "key", b"secret")


@pytest.mark.parametrize(("action", "there"), [("fail", False), ("fail-done", True)])
def test_failed_creation_leaves_all_or_nothing(tmp_path: Path, action: str, *, there: bool) -> None:
    """Whether linking failed or only seemed to, there is the whole key or none, and never a draft."""
    failpoints.arm(f"vault.key-file={action}")
    with pytest.raises(InjectedFaultError):
        create_secret_file(tmp_path / "key", b"secret")
    assert [each.name for each in tmp_path.iterdir()] == (["key"] if there else [])


@pytest.mark.parametrize(("action", "there"), [("kill-before", False), ("kill-after", True)])
def test_killed_creation_leaves_all_or_nothing(tmp_path: Path, action: str, *, there: bool) -> None:
    """Killed before its name was given, the key is not there; a draft that is left disturbs nothing."""
    path = tmp_path / "key"
    script = (
        "import pathlib, sys; from ledger_service.storage import failpoints\n"
        "from ledger_service.vault.secret_files import create_secret_file\n"
        f"failpoints.arm('vault.key-file={action}')\n"
        "create_secret_file(pathlib.Path(sys.argv[1]), b'secret')\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, check=False)
    assert ran.returncode == -signal.SIGKILL
    assert path.exists() is there
    if not there:
        create_secret_file(path, b"secret")
    assert read_secret_file(path) == b"secret"
