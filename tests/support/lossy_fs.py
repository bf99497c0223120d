"""A mounted file system that forgets unsynced writes when its power is cut.

It lives in a process of its own::

    with LossyMount.mount(backing, mount_point) as disk:
        ...                      # programs use mount_point
        disk.cut_power()         # from here every operation on it fails with EIO
    # `backing` now holds exactly what survived

The model is in `volatile_tree`; this module speaks FUSE. Shared memory maps work, so SQLite's WAL does.
Locks are the kernel's own, as on any local file system.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.processes import ChildProcess
from tests.support.volatile_tree import Directory, File, VolatileTree

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_FREE_BLOCKS = 1 << 24
_BLOCK_BYTES = 4096
_REPOSITORY = Path(__file__).parents[2]


@dataclass
class LossyMount:
    """A mounted lossy file system, seen from the process that may cut its power."""

    backing: Path
    mount_point: Path
    process: ChildProcess

    @classmethod
    def mount(cls, backing: Path, mount_point: Path) -> Self:
        """Mount what `backing` holds at `mount_point`; both must exist."""
        process = ChildProcess.start(
            [sys.executable, "-m", "tests.support.lossy_fs", backing, mount_point],
            working_directory=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        mount = cls(backing, mount_point, process)
        try:
            mount._expect("mounted")
        except BaseException:
            mount.unmount()
            raise
        return mount

    def sync_all(self) -> None:
        """Make everything durable, as sync(1) would: the state that a test starts from."""
        self._say("sync", "synced")

    def cut_power(self, *, tear_seed: int | None = None) -> None:
        """Keep what was synced, forget the rest, and fail every operation from now on.

        With `tear_seed` the unsynced sectors are torn instead of dropped as one.
        """
        self._say("cut" if tear_seed is None else f"cut {tear_seed}", "cut")

    def unmount(self) -> None:
        """Detach the mount point, whoever uses it, and end the process. Without `cut_power` all is lost."""
        program = "fusermount3" if shutil.which("fusermount3") else "fusermount"
        subprocess.run(
            [program, "-u", "-z", "-q", str(self.mount_point)], check=False, stderr=subprocess.DEVNULL
        )
        self.process.stop()

    def _say(self, command: str, answer: str) -> None:
        assert self.process.popen.stdin is not None
        self.process.popen.stdin.write(command + "\n")
        self.process.popen.stdin.flush()
        self._expect(answer)

    def _expect(self, answer: str) -> None:
        assert self.process.popen.stdout is not None
        said = self.process.popen.stdout.readline().strip()
        if said != answer:
            raise RuntimeError(f"the lossy file system said {said!r} instead of {answer!r}")

    def __enter__(self) -> Self:
        """The mounted file system."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unmount, whatever happened inside."""
        self.unmount()


class LossyOperations:
    """FUSE operations on a VolatileTree. One lock: a power cut falls between two operations."""

    use_ns = True

    def __init__(self, tree: VolatileTree, on_mounted: Callable[[], None]) -> None:
        """`on_mounted` is called once the kernel answers at the mount point."""
        self._tree = tree
        self._on_mounted = on_mounted
        self._lock = threading.Lock()
        self._powered = True
        self._handles: dict[int, File] = {}
        self._next_handle = 1
        for name in _OPERATIONS:
            setattr(self, name, self._guard(getattr(self, name)))

    def sync_all(self) -> None:
        """Make everything durable."""
        with self._lock:
            self._tree.sync_all()

    def cut_power(self, rng: random.Random | None) -> None:
        """Store what survives and fail from now on."""
        with self._lock:
            self._powered = False
            self._tree.cut(rng)

    def _guard(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Give a FUSE operation the lock and the check for power."""

        def operate(*arguments: Any) -> Any:
            with self._lock:
                if not self._powered:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return operation(*arguments)

        return operate

    def init(self, _path: str) -> None:
        """The kernel is about to use the mount: tell the parent."""
        self._on_mounted()

    def getattr(self, path: str, handle: int | None = None) -> dict[str, int]:
        """Attributes of a name or an open file."""
        node = self._handles[handle] if handle in self._handles else self._tree.find(path)
        size = len(node.data) if isinstance(node, File) else 0
        return {
            "st_mode": node.mode,
            "st_nlink": 1 if isinstance(node, File) else 2,
            "st_size": size,
            "st_blocks": (size + 511) // 512,
            "st_uid": os.geteuid(),
            "st_gid": os.getegid(),
            "st_atime": node.times_ns[0],
            "st_mtime": node.times_ns[1],
            "st_ctime": node.times_ns[1],
        }

    def readdir(self, path: str, _handle: int) -> list[str]:
        """The current names in a directory."""
        node = self._tree.find(path)
        if not isinstance(node, Directory):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return [".", "..", *node.names]

    def create(self, path: str, mode: int, _flags: int) -> int:
        """Make an empty file; durable content and a durable name are two different syncs."""
        parent, name = self._tree.find_parent(path)
        now = time.time_ns()
        node = File(mode=stat.S_IFREG | stat.S_IMODE(mode), times_ns=(now, now))
        parent.change({name: node})
        return self._hold(node)

    def open(self, path: str, flags: int) -> int:
        """Open a file that exists."""
        node = self._file(path)
        if flags & os.O_TRUNC:
            node.resize(0)
        return self._hold(node)

    def release(self, _path: str, handle: int) -> int:
        """The last descriptor is closed."""
        self._handles.pop(handle, None)
        return 0

    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        """The current content."""
        return bytes(self._handles[handle].data[offset : offset + size])

    def write(self, _path: str, data: bytes, offset: int, handle: int) -> int:
        """Change the current content only."""
        node = self._handles[handle]
        node.write(data, offset)
        node.times_ns = (node.times_ns[0], time.time_ns())
        return len(data)

    def truncate(self, path: str, length: int, handle: int | None = None) -> int:
        """Change the current size only."""
        node = self._handles[handle] if handle in self._handles else self._file(path)
        node.resize(length)
        return 0

    def fsync(self, _path: str, _data_only: int, handle: int) -> int:
        """Make one file's content durable."""
        self._handles[handle].sync()
        return 0

    def fsyncdir(self, path: str, _data_only: int, _handle: int) -> int:
        """Make one directory's names durable."""
        node = self._tree.find(path)
        node.sync()
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a directory."""
        parent, name = self._tree.find_parent(path)
        now = time.time_ns()
        parent.change({name: Directory(mode=stat.S_IFDIR | stat.S_IMODE(mode), times_ns=(now, now))})
        return 0

    def unlink(self, path: str) -> int:
        """Remove a name."""
        parent, name = self._tree.find_parent(path)
        parent.change({name: None})
        return 0

    def rmdir(self, path: str) -> int:
        """Remove an empty directory."""
        node = self._tree.find(path)
        if isinstance(node, Directory) and node.names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        return self.unlink(path)

    def rename(self, old: str, new: str) -> int:
        """Move a name, replacing what had the new one."""
        self._tree.rename(old, new)
        return 0

    def link(self, target: str, source: str) -> int:
        """Give a file another name."""
        parent, name = self._tree.find_parent(target)
        parent.change({name: self._file(source)})
        return 0

    def chmod(self, path: str, mode: int) -> int:
        """Change permissions, durable at once."""
        node = self._tree.find(path)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        return 0

    def chown(self, _path: str, _uid: int, _gid: int) -> int:
        """Owners are not kept: everything belongs to whoever mounted."""
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Change times, durable never."""
        now = time.time_ns()
        self._tree.find(path).times_ns = times or (now, now)
        return 0

    def statfs(self, _path: str) -> dict[str, int]:
        """A large disk with space left."""
        return {
            "f_bsize": _BLOCK_BYTES,
            "f_frsize": _BLOCK_BYTES,
            "f_blocks": _FREE_BLOCKS,
            "f_bfree": _FREE_BLOCKS,
            "f_bavail": _FREE_BLOCKS,
            "f_files": 1 << 20,
            "f_ffree": 1 << 20,
            "f_namemax": 255,
        }

    def _file(self, path: str) -> File:
        node = self._tree.find(path)
        if not isinstance(node, File):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        return node

    def _hold(self, node: File) -> int:
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = node
        return handle


_OPERATIONS = frozenset(
    {"getattr", "readdir", "create", "open", "release", "read", "write", "truncate", "fsync", "fsyncdir",
     "mkdir", "unlink", "rmdir", "rename", "link", "chmod", "chown", "utimens", "statfs"}
)  # fmt: skip


def _answer(word: str) -> None:
    """Tell the parent that what it asked for is done."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _obey(operations: LossyOperations) -> None:
    """Carry out what the parent says on standard input, one line and one answer at a time."""
    for line in sys.stdin:
        command, _, seed = line.strip().partition(" ")
        if command == "sync":
            operations.sync_all()
            _answer("synced")
        elif command == "cut":
            operations.cut_power(random.Random(int(seed)) if seed else None)
            _answer("cut")


def main(backing: str, mount_point: str) -> None:
    """Serve the mount until it is detached."""
    import mfusepy  # noqa: PLC0415 - loads libfuse, which only this process needs

    operations = LossyOperations(VolatileTree(Path(backing)), lambda: _answer("mounted"))
    threading.Thread(target=_obey, args=(operations,), daemon=True).start()
    mfusepy.FUSE(operations, mount_point, foreground=True, nothreads=True, fsname="lossy", kernel_cache=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
