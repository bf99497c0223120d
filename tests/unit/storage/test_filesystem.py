"""A database lies on a local file system, and we know how much space it has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger_service.errors import UnsafeStorageError
from ledger_service.storage.filesystem import check_local, free_bytes, sync_directory

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /srv nfs4 rw 0 0
/dev/sdb1 /srv/fast xfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
user@host: /home/user/remote fuse.sshfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
server:/tmp /tmp nfs rw 0 0
a line that is none
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [("/var/lib/ledger", "ext4"), ("/srv/fast/ledger", "xfs"), ("/srvx", "ext4"), ("/", "ext4")],
)
def test_local_file_systems_pass(directory: str, kind: str) -> None:
    """The mount that is nearest to the directory decides, and its type is returned."""
    assert check_local(Path(directory), mounts=MOUNTS) == kind


@pytest.mark.parametrize(
    "directory", ["/srv/slow", "/mnt/with space/ledger", "/home/user/remote", "/tmp/over"]
)
def test_network_file_systems_are_refused(directory: str) -> None:
    """NFS, SMB, sshfs and a network mount over a local one are refused by name."""
    with pytest.raises(UnsafeStorageError, match="network"):
        check_local(Path(directory), mounts=MOUNTS)


def test_link_into_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """A symbolic link is followed before the mount is looked up."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeStorageError):
        check_local(tmp_path / "link", mounts=f"/dev/a / ext4 rw 0 0\ns:/ {tmp_path}/real nfs rw 0 0\n")


def test_this_machine_is_read(tmp_path: Path) -> None:
    """Without a given list the system's own is read."""
    assert check_local(tmp_path) != ""


def test_free_space_is_what_the_system_says(tmp_path: Path) -> None:
    """Free bytes are those an unprivileged process may use."""
    state = os.statvfs(tmp_path)
    assert abs(free_bytes(tmp_path) - state.f_bavail * state.f_frsize) < 1 << 32
    sync_directory(tmp_path)
