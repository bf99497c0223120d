"""What a disk holds and what only memory holds: the model behind the file system that forgets.

A file has two contents, the current one, which programs see, and the durable one, which a power cut
leaves; a sync carries the first over into the second. A directory likewise has current and durable
names, and only syncing the directory makes a creation, a rename or a removal durable: the strict reading
of POSIX, which real file systems soften and may not be relied on to. Modes and times are durable at
once.

A power cut drops everything that was not synced, or *tears*: a random half of the unsynced 512-byte
sectors and a random number of the oldest unsynced changes of names reached the disk after all.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from pathlib import Path

PAGE_BYTES = 4096
SECTOR_BYTES = 512


@dataclass(eq=False)
class File:
    """One regular file, however many names it has."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    dirty_pages: set[int] = field(default_factory=set)
    times_ns: tuple[int, int] = (0, 0)

    def write(self, content: bytes, offset: int) -> None:
        """Change the current content; a hole before `offset` reads as zeros."""
        if offset > len(self.data):
            self.resize(offset)
        end = offset + len(content)
        self.data[offset:end] = content
        self.dirty_pages.update(range(offset // PAGE_BYTES, (end + PAGE_BYTES - 1) // PAGE_BYTES))

    def resize(self, size: int) -> None:
        """Truncate, or extend with zeros."""
        old = len(self.data)
        if size < old:
            del self.data[size:]
        else:
            self.data.extend(bytes(size - old))
        first, last = sorted((old, size))
        self.dirty_pages.update(range(first // PAGE_BYTES, (last + PAGE_BYTES - 1) // PAGE_BYTES))

    def sync(self) -> None:
        """Make the current content durable."""
        size = len(self.data)
        if len(self.durable) > size:
            del self.durable[size:]
        else:
            self.durable.extend(bytes(size - len(self.durable)))
        for page in self.dirty_pages:
            start = page * PAGE_BYTES
            if start < size:
                self.durable[start : start + PAGE_BYTES] = self.data[start : start + PAGE_BYTES]
        self.dirty_pages.clear()

    def tear(self, rng: random.Random) -> None:
        """Let a random half of the unsynced sectors reach the disk, and perhaps the new size."""
        if not self.dirty_pages:
            return
        size = rng.choice((len(self.durable), len(self.data)))
        del self.durable[size:]
        self.durable.extend(bytes(size - len(self.durable)))
        for page in sorted(self.dirty_pages):
            for start in range(page * PAGE_BYTES, (page + 1) * PAGE_BYTES, SECTOR_BYTES):
                end = min(start + SECTOR_BYTES, size, len(self.data))
                if start < end and rng.random() < 0.5:
                    self.durable[start:end] = self.data[start:end]
        self.dirty_pages.clear()


@dataclass(eq=False)
class Directory:
    """One directory: its names now, its names on the disk, and the changes between the two in order."""

    mode: int
    names: dict[str, File | Directory] = field(default_factory=dict)
    durable: dict[str, File | Directory] = field(default_factory=dict)
    pending: list[dict[str, File | Directory | None]] = field(default_factory=list)
    times_ns: tuple[int, int] = (0, 0)

    def change(self, changes: dict[str, File | Directory | None]) -> None:
        """Apply one atomic change of names: a node to bind the name, None to remove it."""
        _apply(self.names, changes)
        self.pending.append(changes)

    def sync(self) -> None:
        """Make every name durable."""
        self.durable = dict(self.names)
        self.pending.clear()

    def tear(self, rng: random.Random) -> None:
        """Let a random number of the oldest unsynced changes reach the disk."""
        for changes in self.pending[: rng.randint(0, len(self.pending))]:
            _apply(self.durable, changes)
        self.pending.clear()


def _apply(names: dict[str, File | Directory], changes: dict[str, File | Directory | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class VolatileTree:
    """A tree of files loaded from a backing directory; `cut` puts there what a power cut leaves."""

    def __init__(self, backing: Path) -> None:
        """Load `backing`: all that is there is durable."""
        self.backing = backing
        self.root = _load_directory(backing)

    def find(self, path: str) -> File | Directory:
        """The node at an absolute path; raises OSError(ENOENT) or (ENOTDIR)."""
        node: File | Directory = self.root
        for part in path.split("/"):
            if not part:
                continue
            if not isinstance(node, Directory):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if part not in node.names:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            node = node.names[part]
        return node

    def find_parent(self, path: str) -> tuple[Directory, str]:
        """The directory that holds the last part of `path`, and that part."""
        head, _, name = path.rpartition("/")
        parent = self.find(head)
        if not isinstance(parent, Directory):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return parent, name

    def rename(self, old: str, new: str) -> None:
        """Move a name; within one directory the change is atomic."""
        source, old_name = self.find_parent(old)
        target, new_name = self.find_parent(new)
        node = source.names[old_name]
        if source is target:
            source.change({old_name: None, new_name: node})
        else:
            target.change({new_name: node})
            source.change({old_name: None})

    def sync_all(self) -> None:
        """What sync(1) does: everything is durable."""
        self._walk(self.root, None)

    def cut(self, rng: random.Random | None = None) -> int:
        """Write what survives a power cut to the backing directory; with `rng`, a torn state.

        Returns how many files held something that had not been synced.
        """
        unsynced = sum(bool(node.dirty_pages) for node in _files(self.root))
        if rng is not None:
            self._walk(self.root, rng)
        _store_directory(self.root, self.backing)
        return unsynced

    def _walk(self, directory: Directory, rng: random.Random | None) -> None:
        for node in [*directory.names.values(), directory]:
            if isinstance(node, Directory) and node is not directory:
                self._walk(node, rng)
            elif rng is None:
                node.sync()
            else:
                node.tear(rng)


def _files(directory: Directory) -> list[File]:
    found: list[File] = []
    for node in directory.names.values():
        found.extend(_files(node) if isinstance(node, Directory) else [node])
    return found


def _load_directory(path: Path) -> Directory:
    directory = Directory(mode=path.stat().st_mode)
    for child in path.iterdir():
        if child.is_dir():
            node: File | Directory = _load_directory(child)
        else:
            content = child.read_bytes()
            node = File(mode=child.stat().st_mode, data=bytearray(content), durable=bytearray(content))
        directory.names[child.name] = node
    directory.durable = dict(directory.names)
    return directory


def _store_directory(directory: Directory, path: Path) -> None:
    path.mkdir(exist_ok=True)
    for child in path.iterdir():
        node = directory.durable.get(child.name)
        if child.is_dir() and not isinstance(node, Directory):
            _remove_tree(child)
        elif not child.is_dir() and not isinstance(node, File):
            child.unlink()
    for name, node in directory.durable.items():
        if isinstance(node, Directory):
            _store_directory(node, path / name)
        else:
            (path / name).write_bytes(node.durable)
            (path / name).chmod(stat.S_IMODE(node.mode))
    path.chmod(stat.S_IMODE(directory.mode))


def _remove_tree(path: Path) -> None:
    for child in path.iterdir():
        if child.is_dir():
            _remove_tree(child)
        else:
            child.unlink()
    path.rmdir()
