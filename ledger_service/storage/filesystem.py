"""What a database needs to know about the file system under it: is it local, and how much space is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ledger_service.errors import UnsafeStorageError

# Their locks and their fsync are promises of another machine, kept by no one when the network is down.
_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.gcsfuse",
        "fuse.davfs",
        "davfs",
        "fuse.juicefs",
    }
)
_MOUNTS: Final = Path("/proc/self/mounts")
_MOUNT_FIELDS: Final = 6


def check_local(directory: Path, *, mounts: str | None = None) -> str:
    """Return the type of the file system that holds `directory`.

    `mounts` is the text of /proc/self/mounts, read here unless given. Raises UnsafeStorageError for a
    network file system. Where the system has no such list, the type is "unknown" and nothing is refused.
    """
    if mounts is None:
        if not _MOUNTS.exists():
            return "unknown"
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    kind = _find_type(directory.resolve(), mounts)
    if kind in _NETWORK:
        raise UnsafeStorageError(
            f"The database may not lie on a network file system ({kind}).", filesystem=kind
        )
    return kind


def free_bytes(directory: Path) -> int:
    """Return how many bytes an unprivileged process may still store in the file system of `directory`."""
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


def make_directory(directory: Path, *, mode: int = 0o700) -> None:
    """Make a directory, and those above it that are missing, so that each name survives a power loss."""
    if not directory.exists():
        # One by one: with `parents` Python gives the mode to the last directory only, and syncs none.
        make_directory(directory.parent, mode=mode)
        directory.mkdir(mode=mode, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` survive a power loss."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _find_type(directory: Path, mounts: str) -> str:
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) != _MOUNT_FIELDS:
            continue
        point = Path(_unescape(fields[1]))
        # A later line of the same length hides an earlier one: it was mounted over it.
        if (directory == point or point in directory.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
