"""The model of a disk that forgets keeps exactly what was synced."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.support.lossy_fs import LossyMount
from tests.support.volatile_tree import Directory, File, VolatileTree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    """An empty disk."""
    path = tmp_path / "backing"
    path.mkdir()
    return path


def _create(tree: VolatileTree, name: str, content: bytes) -> File:
    node = File(mode=0o100600)
    tree.root.change({name: node})
    node.write(content, 0)
    return node


def test_only_what_was_synced_survives(backing: Path) -> None:
    """A file keeps its last synced content; what came later is gone."""
    tree = VolatileTree(backing)
    node = _create(tree, "a", b"first")
    node.sync()
    tree.root.sync()
    node.write(b"SECOND and longer", 0)
    assert tree.cut() == 1
    assert (backing / "a").read_bytes() == b"first"


def test_a_synced_file_without_a_synced_name_is_gone(backing: Path) -> None:
    """Syncing a new file does not sync its name: the directory has to be synced as well."""
    tree = VolatileTree(backing)
    _create(tree, "a", b"content").sync()
    tree.cut()
    assert list(backing.iterdir()) == []


def test_an_unsynced_rename_leaves_the_old_file(backing: Path) -> None:
    """Replacing a file by rename is durable only with the directory; before, the old content stands."""
    (backing / "final").write_bytes(b"old")
    tree = VolatileTree(backing)
    _create(tree, "new", b"new").sync()
    tree.root.sync()
    tree.rename("/new", "/final")
    tree.cut()
    assert (backing / "final").read_bytes() == b"old"
    assert (backing / "new").read_bytes() == b"new"


def test_truncation_and_holes_follow_the_same_rule(backing: Path) -> None:
    """A file that shrank and grew again without a sync still has its synced size and bytes."""
    (backing / "a").write_bytes(bytes(range(256)) * 40)
    tree = VolatileTree(backing)
    node = tree.find("/a")
    assert isinstance(node, File)
    node.resize(100)
    node.write(b"far", 9_000)
    assert bytes(node.data[100:9_000]) == bytes(8_900)
    tree.cut()
    assert (backing / "a").read_bytes() == bytes(range(256)) * 40


@pytest.mark.parametrize("seed", range(20))
def test_a_sync_after_any_writes_makes_them_durable(backing: Path, seed: int) -> None:
    """Whatever mixture of writes, truncations and syncs came before, a sync leaves nothing behind."""
    rng = random.Random(seed)
    tree = VolatileTree(backing)
    node = _create(tree, "a", b"")
    for _ in range(60):
        action = rng.random()
        if action < 0.7:
            node.write(rng.randbytes(rng.randint(1, 9_000)), rng.randint(0, 30_000))
        elif action < 0.85:
            node.resize(rng.randint(0, 30_000))
        else:
            node.sync()
            assert node.durable == node.data
    node.sync()
    assert node.durable == node.data


def test_a_torn_cut_mixes_sectors_of_both_contents(backing: Path) -> None:
    """Tearing keeps some unsynced sectors and loses others, and never touches synced ones."""
    (backing / "a").write_bytes(b"o" * 65_536)
    tree = VolatileTree(backing)
    node = tree.find("/a")
    assert isinstance(node, File)
    node.write(b"n" * 32_768, 0)
    tree.cut(random.Random(1))
    left = (backing / "a").read_bytes()
    sectors = {left[start : start + 512] for start in range(0, 32_768, 512)}
    assert sectors == {b"o" * 512, b"n" * 512}
    assert left[32_768:] == b"o" * 32_768


def test_removed_directories_disappear(backing: Path) -> None:
    """A directory whose removal was synced is gone from the disk with what was in it."""
    (backing / "d").mkdir()
    (backing / "d" / "f").write_bytes(b"x")
    tree = VolatileTree(backing)
    assert isinstance(tree.find("/d"), Directory)
    tree.root.change({"d": None})
    tree.root.sync()
    tree.cut()
    assert list(backing.iterdir()) == []


def test_the_mounted_disk_forgets(backing: Path, tmp_path: Path) -> None:
    """Through the kernel: fsync keeps, no fsync loses, and after the cut every operation fails."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    with LossyMount.mount(backing, mount_point) as disk:
        with (mount_point / "kept").open("wb") as file:
            file.write(b"kept")
            file.flush()
            os.fsync(file.fileno())
            file.write(b" and lost")
            directory = os.open(mount_point, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
        (mount_point / "lost").write_bytes(b"lost")
        assert (mount_point / "kept").read_bytes() == b"kept and lost"
        disk.cut_power()
        with pytest.raises(OSError, match="Input/output error"):
            (mount_point / "more").write_bytes(b"x")
    assert {path.name: path.read_bytes() for path in backing.iterdir()} == {"kept": b"kept"}
