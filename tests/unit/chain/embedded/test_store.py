"""The chain's file: one owner, whole blocks, nothing of ours mistaken for it."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.store import BlockBuffer, ChainFile, CommittedReads
from ledger_service.errors import ChainFileError, ChainFileInUseError
from tests.support.embedded_chain import START, ChainBench

if TYPE_CHECKING:
    from pathlib import Path


def test_one_process_owns_the_file(bench: ChainBench) -> None:
    """A file that is open cannot be opened again, and can be once it was closed."""
    with pytest.raises(ChainFileInUseError):
        ChainFile.open(bench.file.path)
    bench.file.close()
    again = ChainFile.open(bench.file.path)
    assert again.identity == bench.file.identity
    bench.file = again


def test_a_new_file_holds_no_chain(tmp_path: Path) -> None:
    """A file without block 0 has no identity, and no chain can be read from it."""
    file = ChainFile.open(tmp_path / "new.sqlite")
    assert (file.identity, file.read(b"anything")) == (None, None)
    with pytest.raises(ChainFileError):
        EmbeddedChain(file)
    file.close()


def test_files_are_private(bench: ChainBench) -> None:
    """Nobody but the owner may read the chain's file or its lock."""
    for path in bench.file.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 400, b"SQLite format 3\x00" + b"\x00" * 5_000]
)
def test_rubbish_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is not a database is refused and left as it is."""
    path = tmp_path / "rubbish.sqlite"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ChainFileError):
        ChainFile.open(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE mine (x)", "PRAGMA user_version=2", "PRAGMA application_id=7"]
)
def test_another_program_s_database_is_refused(tmp_path: Path, statement: str) -> None:
    """A database that is not a chain of this format is refused instead of being filled."""
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute(statement)
    other.commit()
    other.close()
    path.chmod(0o600)
    with pytest.raises(ChainFileError, match="not a chain of format 1"):
        ChainFile.open(path)


def test_a_second_block_zero_is_refused(bench: ChainBench) -> None:
    """A file that holds a chain never becomes another chain."""
    identity = bench.file.identity
    assert identity is not None
    with pytest.raises(ChainFileError, match="holds a chain already"):
        bench.file.store_genesis(identity, {})


def test_reads_see_committed_blocks_only(bench: ChainBench) -> None:
    """What a block buffers is seen by that block alone until it is stored."""
    buffer = BlockBuffer(bench.file)
    buffer[b"key"] = b"value"
    assert buffer[b"key"] == b"value"
    assert buffer.exists(b"key")
    assert bench.file.read(b"key") is None
    assert not CommittedReads(bench.file).exists(b"key")
    bench.file.store_block(buffer.entries, [])
    assert CommittedReads(bench.file)[b"key"] == b"value"


def test_a_buffer_forgets_only_its_own_writes(bench: ChainBench) -> None:
    """A buffered write can be taken back; what an earlier block stored cannot be deleted."""
    buffer = BlockBuffer(bench.file)
    buffer[b"key"] = b"value"
    del buffer[b"key"]
    assert not buffer.exists(b"key")
    with pytest.raises(KeyError):
        buffer[b"key"]
    with pytest.raises(ChainFileError):
        del buffer[bench.chain.identity.genesis_hash]


def test_serving_reads_cannot_write(bench: ChainBench) -> None:
    """The database that serves requests refuses every kind of write."""
    reads = CommittedReads(bench.file)
    with pytest.raises(ChainFileError):
        reads[b"key"] = b"value"
    with pytest.raises(ChainFileError):
        del reads[b"key"]
    with pytest.raises(ChainFileError):
        reads.atomic_batch()


def test_the_file_never_moves_back(bench: ChainBench) -> None:
    """Reopening finds the same newest block, receipts and identity."""
    probe = bench.deploy_probe()
    (tx_hash,) = bench.mine(bench.sender.sign(to=probe, data=b"x")).included
    head, receipt = bench.chain.head(), bench.chain.receipt(tx_hash)
    bench.file.close()
    bench.file = ChainFile.open(bench.file.path)
    chain = EmbeddedChain(bench.file)
    assert (chain.head(), chain.receipt(tx_hash)) == (head, receipt)
    genesis = chain.header_at(0)
    assert genesis is not None
    assert genesis.timestamp == int(START.timestamp())
